"""The demo model: small, extractive and honest.

It knows nothing but its prompt: it finds the facts and passages that fit the customer's words and
quotes them in a friendly sentence. What it cannot find it hands to a person. It needs no key and
no network, so that a whole conversation works on a bare machine.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from simulator.model.hours import CLOSED, Schedule, open_at, parse_schedule
from simulator.model.intents import Ask, read_asks
from simulator.model.lexicon import TODAY, TOMORROW
from simulator.model.phrases import TOPIC_PHRASES, closed_word, day_name, say
from simulator.model.prompts import Knowledge, asked, knowledge
from simulator.model.result import HANDOVER, Result
from simulator.model.retrieval import Index, Match, best, corrected, index
from simulator.model.translating import translate
from simulator.model.words import fold, is_topic, language, tokens, weekdays, words

SENTENCES_MAX = 3
_NOW_WORDS = frozenset({"now", "ahora", "agora"})
_WHERE = frozenset({"where", "donde", "onde"})
_NEGATION = re.compile(r"\b(?:no|not|never|don't|doesn't|nao|sin|sem|except|excepto|exceto)\b")
_CLAUSE = re.compile(r"[;\n•|]|,\s+(?=\D)|\.\s+")
_SENTENCE_WORDS_MIN = 5
_TRANSLATED = frozenset({"de", "id", "ar"})
_SENTENCE = re.compile(r"([^.!?؟\n]+)([.!?]?)")


@dataclass(slots=True)
class _Reply:
    """What is said so far, in which language."""

    speech: str
    sentences: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    missing: bool = False

    def add(self, sentence: str, source: str | None) -> None:
        if sentence not in self.sentences:
            self.sentences.append(sentence)
        if source and source not in self.sources:
            self.sources.append(source)


def answer(messages: list[dict[str, Any]]) -> Result:
    """Answer the unanswered messages of a conversation."""
    said = asked(messages)
    known = knowledge(messages)
    speech, texts = language("\n".join(said)), understood(said)
    asks = read_asks(texts)
    if any(ask.wants_person for ask in asks):
        return _hand_over(say(speech, "person"), "customer_request")
    reply = _Reply(speech)
    for ask in asks:
        if ask.who_speaks:
            reply.add(say(speech, "bot"), None)
        if ask.asks:
            _answer_ask(ask, known, reply)
    if reply.sentences:
        greet = any(ask.greets for ask in asks) and not known.opened
        return _answered(reply, speech, greet=greet)
    if reply.missing:
        return _hand_over(say(speech, "missing"), "missing_knowledge")
    return Result(reply=_small_talk(asks, known, speech))


def understood(texts: list[str]) -> list[str]:
    """Return a customer's texts in a language whose words the model knows, sentence by sentence."""
    if language("\n".join(texts)) not in _TRANSLATED:
        return texts
    sentences = [part for text in texts for part in _SENTENCE.findall(text)]
    return [f"{translate(words)}{end or '.'}" for words, end in sentences if words.strip()]


def _hand_over(reply: str, reason: str) -> Result:
    return Result(reply=reply, action=HANDOVER, reason_code=reason)


def _answered(reply: _Reply, speech: str, *, greet: bool) -> Result:
    sentences = reply.sentences[:SENTENCES_MAX]
    if greet:
        sentences[0] = f"{say(speech, 'hello')} {sentences[0]}"
    if reply.missing:
        sentences.append(say(speech, "rest"))
    return Result(reply=" ".join(sentences), used_sources=tuple(reply.sources))


def _small_talk(asks: list[Ask], known: Knowledge, speech: str) -> str:
    if any(ask.thanks for ask in asks):
        return say(speech, "thanks")
    if any(ask.fine for ask in asks):
        return say(speech, "fine")
    if known.business_name:
        return say(speech, "welcome", name=known.business_name)
    return say(speech, "help")


def _answer_ask(ask: Ask, known: Knowledge, reply: _Reply) -> None:
    units = index(known)
    wanted = corrected(_wanted(ask.text, known), units)
    if not wanted:
        return
    topics = [token for token in sorted(wanted) if is_topic(token)]
    if "hours" in wanted or (not topics and weekdays(wanted)):
        sentence = _hours(ask, wanted, known, reply.speech)
        if sentence:
            reply.add(sentence, None)
            wanted -= {"hours", *(t for t in wanted if t.startswith("day"))}
            topics = [each for each in topics if each != "hours"]
            if not topics:
                return
    found = best(wanted, units)
    if found and set(topics) <= found.unit.all:
        reply.add(_quote(found, wanted, ask, reply.speech), found.unit.source)
        return
    _answer_topics(topics, wanted, units, ask, reply)


def _answer_topics(
    topics: list[str], wanted: set[str], units: Index, ask: Ask, reply: _Reply
) -> None:
    """Answer a sentence that asks for several things, each by itself."""
    things = {token for token in wanted if not is_topic(token)}
    matches = [best({topic} | things, units) for topic in topics] or [best(wanted, units)]
    for match in matches:
        if match:
            reply.add(_quote(match, wanted, ask, reply.speech), match.unit.source)
        else:
            reply.missing = True


def _wanted(text: str, known: Knowledge) -> set[str]:
    """The tokens of a question, with today and tomorrow as days where the date is known."""
    wanted = tokens(text)
    spoken = set(words(text))
    if spoken & _WHERE and sum(is_topic(token) for token in wanted) > 1:
        # "Where can I park?" asks for the parking, not for the address.
        wanted.discard("address")
    for names, offset in ((TODAY, 0), (TOMORROW, 1)):
        if spoken & names:
            wanted -= {token for token in wanted if token in names or token in {"tonight", "hoy"}}
            wanted -= tokens(" ".join(names))
            if known.weekday is not None:
                wanted.add(f"day{(known.weekday + offset) % 7}")
    return wanted


def _schedule(known: Knowledge) -> Schedule:
    """The opening hours: from facts about hours or named by a day, else from passages."""
    text = [
        f"{key}: {value}" if weekdays(tokens(key)) else value
        for key, value in known.facts
        if weekdays(tokens(key)) or tokens(key) & {"hours", "delivery"} == {"hours"}
    ]
    schedule = parse_schedule("\n".join(text))
    if not schedule:
        about = [p.text for p in known.passages if "hours" in tokens(f"{p.title} {p.question}")]
        schedule = parse_schedule("\n".join(about))
    return schedule


def _hours(ask: Ask, wanted: set[str], known: Knowledge, speech: str) -> str | None:
    schedule = _schedule(known)
    days = [day for day in weekdays(wanted) if day in schedule]
    if not days:
        return _week(schedule, known, wanted, speech)
    spoken = set(words(ask.text))
    if len(days) == 1 and days[0] == known.weekday and spoken & TODAY:
        return _today(schedule[days[0]], known, speech, now=bool(spoken & _NOW_WORDS))
    plain = len(days) > 1 or not ask.yes_no
    return " ".join(_day(day, schedule[day], speech, plain=plain) for day in days)


def _week(schedule: Schedule, known: Knowledge, wanted: set[str], speech: str) -> str | None:
    """The whole week, when the business told it day by day and no fact says it at once."""
    told_at_once = any("hours" in tokens(key) for key, _ in known.facts)
    if not schedule or told_at_once or weekdays(wanted):
        return None
    days = [
        f"{day_name(speech, day)} {closed_word(speech) if spans == CLOSED else spans}"
        for day, spans in sorted(schedule.items())
    ]
    return say(speech, "hours", text="; ".join(days))


def _day(day: int, spans: str, speech: str, *, plain: bool) -> str:
    """One day's hours; plain is without yes or no in front."""
    phrase = "closed" if spans == CLOSED else "open"
    sentence = say(speech, phrase, day=day_name(speech, day), spans=spans)
    return _capital(sentence.partition(", ")[2]) if plain else sentence


def _today(spans: str, known: Knowledge, speech: str, *, now: bool) -> str:
    if spans == CLOSED:
        return say(speech, "closed_today")
    if now and known.clock:
        return say(speech, "open_now" if open_at(spans, known.clock) else "closed_now", spans=spans)
    return _day(known.weekday or 0, spans, speech, plain=True)


def _quote(match: Match, wanted: set[str], ask: Ask, speech: str) -> str:
    """The unit in a sentence; a unit that is a sentence already speaks for itself."""
    unit = match.unit
    # What the key names already ("sourdough loaf price") does not narrow the value down.
    things = match.things - tokens(unit.key) if unit.is_fact else match.things
    # A list of prices can be cut; a sentence that is cut says something else.
    listed = "price" in wanted and (unit.is_fact or not _is_sentence(unit.text))
    text = _relevant(unit.text, things) if listed else unit.text
    if not unit.is_fact:
        return text if text[-1:] in ".!?" else f"{text}."
    topic = next((t for t in sorted(wanted & unit.all) if t in TOPIC_PHRASES), None)
    if "price" in wanted and "price" in unit.all and match.things:
        topic = "price"
    if _is_sentence(text):
        return text if text[-1:] in ".!?" else f"{text}."
    if topic is None or (topic == "price" and tokens(unit.key) & match.things):
        return say(speech, "fact", key=_capital(unit.key), text=_one_line(text))
    confirmed = ask.yes_no and match.things and not match.missed
    if confirmed and topic in {"delivery", "payment"} and not _NEGATION.search(fold(text)):
        topic = f"{topic}_yes"
    return say(speech, topic, text=_one_line(text))


def _relevant(text: str, things: frozenset[str]) -> str:
    """The clauses of a price list that name the thing asked for; all of it when none does."""
    clauses = [clause.strip() for clause in _CLAUSE.split(text) if clause.strip()]
    named = [clause for clause in clauses if tokens(clause) & things]
    return ", ".join(named) if named else text


def _is_sentence(text: str) -> bool:
    return text.endswith((".", "!")) and len(text.split()) >= _SENTENCE_WORDS_MIN


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", "; ", text.strip())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
