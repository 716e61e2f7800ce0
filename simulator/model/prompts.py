"""What a prompt says: the business facts, the passages, the date, and what the customer asks."""

import html
import re
from dataclasses import dataclass
from datetime import time
from functools import lru_cache
from typing import Any

from simulator.model.lexicon import DAYS
from simulator.model.words import fold

_FACTS = re.compile(r"<business_facts\b[^>]*>(.*?)</business_facts>", re.DOTALL | re.IGNORECASE)
_PASSAGE = re.compile(r"<passage\b([^>]*)>(.*?)</passage>", re.DOTALL | re.IGNORECASE)
_NOW = re.compile(r"<now\b[^>]*>(.*?)</now>", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"<opening\b[^>]*>\s*\S", re.IGNORECASE)
_QUESTION = re.compile(r"<question\b[^>]*>(.*?)</question>", re.DOTALL | re.IGNORECASE)
_ANSWER = re.compile(r"<answer\b[^>]*>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*\"([^\"]*)\"")
_TAG = re.compile(r"</?[a-zA-Z_][^<>]*>")
_KEY_VALUE = re.compile(r"^\s*[-*•]?\s*([^:\n]{2,60}?)\s*:\s+(\S.*)$")
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b")
_NAME_KEYS = frozenset(("name", "business", "company", "nombre", "negocio", "empresa", "nome"))


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the tenant's knowledge; for questions and answers `text` is the answer."""

    id: str
    title: str
    text: str
    question: str | None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that a prompt tells about a business."""

    facts: tuple[tuple[str, str], ...]
    passages: tuple[Passage, ...]
    weekday: int | None
    clock: time | None
    opened: bool = False
    """True when the reply goes out behind an opening, which greets already."""

    @property
    def business_name(self) -> str | None:
        """The business's name, if a fact tells it."""
        for key, value in self.facts:
            if set(re.findall(r"[a-z]+", fold(key))) & _NAME_KEYS:
                return value
        return None


def content_text(content: Any) -> str:
    """A message's text: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(p.get("text", "")) for p in parts if isinstance(p, dict))


def unanswered(messages: list[dict[str, Any]]) -> list[str]:
    """The customer's texts after the last thing the assistant said, as they were written."""
    texts: list[str] = []
    if len(messages) > 1 and messages[-1].get("role") == "system":
        messages = messages[:-2]  # a draft that is to be written anew, and why
    for message in messages:
        if message.get("tool_calls"):
            continue
        if message.get("role") == "assistant":
            texts = []
        elif message.get("role") == "user":
            texts.append(content_text(message.get("content")))
    return texts


def asked(messages: list[dict[str, Any]]) -> list[str]:
    """The unanswered texts without fenced data and tags, for reading."""
    texts = []
    for text in unanswered(messages):
        bare = text
        for fence in (_FACTS, _PASSAGE, _NOW):
            bare = fence.sub(" ", bare)
        texts.append(html.unescape(_TAG.sub(" ", bare)).strip())
    return [text for text in texts if text]


def knowledge(messages: list[dict[str, Any]]) -> Knowledge:
    """The knowledge in a prompt: from its fences, or from `key: value` lines where it has none."""
    system = [m for m in messages if m.get("role") in {"system", "developer"}]
    text = "\n".join(content_text(m.get("content")) for m in system)
    if not (_FACTS.search(text) or _PASSAGE.search(text)):
        users = "\n".join(content_text(m.get("content")) for m in messages)
        if _FACTS.search(users) or _PASSAGE.search(users):
            text = users
    return _read(text)


@lru_cache(maxsize=64)
def _read(text: str) -> Knowledge:
    fenced = [block.group(1) for block in _FACTS.finditer(text)]
    passages = tuple(_passage(m.group(1), m.group(2)) for m in _PASSAGE.finditer(text))
    if not fenced and not passages:
        fenced = [text]
    facts = tuple(pair for block in fenced for pair in _pairs(block))
    weekday, clock = _moment(text)
    return Knowledge(facts, passages, weekday, clock, opened=bool(_OPENING.search(text)))


def _pairs(block: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for line in html.unescape(_TAG.sub("", block)).splitlines():
        match = _KEY_VALUE.match(line)
        if match:
            pairs.append((match.group(1).replace("_", " ").strip(), match.group(2).strip()))
        elif pairs and line.strip():
            # A value that goes on over several lines, such as one line for each day.
            key, value = pairs[-1]
            pairs[-1] = (key, f"{value}\n{line.strip()}")
    return pairs


def _passage(attributes: str, body: str) -> Passage:
    given = {name.lower(): html.unescape(value) for name, value in _ATTRIBUTE.findall(attributes)}
    question, answer = _QUESTION.search(body), _ANSWER.search(body)
    text = answer.group(1) if answer else _QUESTION.sub("", body)
    return Passage(
        given.get("id", ""),
        given.get("title", ""),
        html.unescape(_TAG.sub("", text)).strip(),
        html.unescape(_TAG.sub("", question.group(1))).strip() if question else None,
    )


def _moment(text: str) -> tuple[int | None, time | None]:
    block = _NOW.search(text)
    if not block:
        return None, None
    words = re.findall(r"[a-z]+", fold(block.group(1)))
    numbers = {name: day for day, names in enumerate(DAYS) for name in names.split()}
    weekday = next((numbers[word] for word in words if word in numbers), None)
    clock = _CLOCK.search(block.group(1))
    return weekday, time(int(clock.group(1)), int(clock.group(2))) if clock else None
