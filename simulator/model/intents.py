"""What a customer's sentence wants: a greeting, thanks, a person, or an answer."""

import re
from dataclasses import dataclass

from simulator.model.words import fold

_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening|day)|greetings|howdy"
    r"|hola|buenas(?: tardes| noches)?|buenos dias|que tal|muy buenas"
    r"|ola|oi|bom dia|boa tarde|boa noite)\b(?: there| all| everyone)?\W*"
)
_THANKS = re.compile(
    r"^\W*(?:(?:ok|okay|great|perfect|super|vale|genial|perfecto|perfeito|otimo)\W+)?"
    r"(?:many |muchas |mil |muito )?"
    r"(?:thanks|thank you|thx|cheers|gracias|obrigad[oa]|valeu|agradecid[oa])"
    r"(?: (?:a lot|so much|very much|again|mate))?\b\W*"
)
_FINE = re.compile(
    r"^\W*(?:ok|okay|great|perfect|cool|nice|fine|alright|got it|understood|bye|goodbye|see you"
    r"|vale|genial|perfecto|estupendo|entendido|adios|hasta luego|claro"
    r"|perfeito|otimo|beleza|entendi|tchau|ate logo|certo)\W*$"
)
_PERSON = re.compile(
    r"\b(?:(?:talk|speak|chat|connect me|put me through|transfer me|pass me)\s+(?:to|with)\b"
    r"|(?:real|actual|live|human)\s+(?:person|human|being|agent|people|someone)"
    r"|(?:a|an|some) human\b|human being|customer (?:service|support)|representative\b"
    r"|(?:call|ring) me(?: back)?\b"
    r"|hablar con|hablo con|ponme con|pasame con|persona real|un humano|una persona\b(?! )"
    r"|atencion al cliente|agente humano"
    r"|falar com|conversar com|atendente|pessoa real|um humano|uma pessoa\b(?! ))"
)
# Somebody who is angry is answered by people, as the product's own rules for models say.
_ANGRY = re.compile(
    r"\b(?:my money back|i want (?:a|my) refund|make a complaint|i(?:'m| am| want to) complain"
    r"|scandal|disgrace|outrageous|unacceptable|useless|rip[- ]?off"
    r"|quiero mi dinero|devuelv\w+ (?:el|mi) dinero|una verguenza|inaceptable|estafa"
    r"|meu dinheiro de volta|uma vergonha|inaceitavel|absurdo)\b"
)
_BOT = re.compile(
    r"^\W*(?:are you|is this|am i (?:talking|speaking|chatting) (?:to|with))"
    r" (?:a |an |some )?(?:real )?(?:robot|bot|chatbot|machine|ai|human|person)\b"
    r"|\b(?:eres|es|estoy hablando con) (?:un |una )?(?:robot|bot|maquina|ia|humano|persona)\b"
    r"|\b(?:voce e|estou falando com) (?:um |uma )?(?:robo|bot|maquina|ia|humano|pessoa)\b"
)
_YES_NO = re.compile(
    r"^\W*(?:and |so |also |y |e )?(?:do|does|are|is|can|could|have|has|will|would|may"
    r"|haceis|hacen|hay|teneis|tienen|tiene|puedo|puede|pueden|se puede|aceptan|abren|abris|estan"
    r"|estais|reparten|repartis|entregan"
    r"|fazem|tem|voces|posso|pode|podem|aceitam|abrem|estao|entregam)\b"
)
_SPLIT = re.compile(r"(?<=[?!])\s*|(?<=[.…])\s+|\n+|;\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One sentence of a customer, without its greeting."""

    text: str
    greets: bool
    thanks: bool
    fine: bool
    wants_person: bool
    who_speaks: bool
    yes_no: bool

    @property
    def asks(self) -> bool:
        """Whether something is left that needs an answer."""
        return bool(self.text) and not (
            self.thanks or self.fine or self.wants_person or self.who_speaks
        )


def read_asks(texts: list[str]) -> list[Ask]:
    """Split a burst of messages into sentences and read each."""
    sentences = [part for text in texts for part in _SPLIT.split(text) if part and part.strip()]
    return [_read(sentence) for sentence in sentences]


def _read(sentence: str) -> Ask:
    plain = fold(sentence)
    greeting = _GREETING.match(plain)
    rest = plain[greeting.end() :] if greeting else plain
    thanks = _THANKS.match(rest)
    rest = rest[thanks.end() :] if thanks else rest
    # The asked text keeps its accents where folding kept its length, for telling the language.
    same = len(plain) == len(sentence)
    text = sentence[len(plain) - len(rest) :] if same else rest
    content = re.search(r"\w", rest)
    who_speaks = bool(_BOT.search(rest))
    return Ask(
        text=text.strip() if content else "",
        greets=bool(greeting),
        thanks=bool(thanks) and not content,
        fine=bool(_FINE.match(rest)),
        wants_person=not who_speaks and bool(_PERSON.search(rest) or _ANGRY.search(rest)),
        who_speaks=who_speaks,
        yes_no=bool(_YES_NO.match(rest)),
    )
