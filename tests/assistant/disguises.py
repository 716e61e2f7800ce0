"""Ways to write a text so that a guard may not know it again."""

import base64
import codecs


def leet(text: str) -> str:
    return text.translate(str.maketrans("aeios", "43105"))


def cyrillic(text: str) -> str:
    return text.translate(str.maketrans("aeopcyx", "аеорсух"))


def mathematical(text: str) -> str:
    return "".join(chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c for c in text.lower())


def caesar(text: str) -> str:
    return "".join(chr((ord(c) - 94) % 26 + 97) if "a" <= c <= "z" else c for c in text.lower())


def atbash(text: str) -> str:
    return "".join(chr(219 - ord(c)) if "a" <= c <= "z" else c for c in text.lower())


def shuffled(text: str) -> str:
    return " ".join(text.split()[::-1])


def counted(text: str) -> str:
    return " ".join(f"{n}. {word}" for n, word in enumerate(text.split()))


def diluted(text: str) -> str:
    return " ".join(f"{word} lol" for word in text.split())


def vowelless(text: str) -> str:
    return "".join(c for c in text if c not in "aeiou")


def word_by_word_reversed(text: str) -> str:
    return " ".join(word[::-1] for word in text.split())


def interleaved(text: str) -> str:
    return "x".join(text)


def twice_packed(text: str) -> str:
    return base64.b64encode(base64.b64encode(text.encode())).decode()


def packed_backwards(text: str) -> str:
    return base64.b64encode(text[::-1].encode()).decode()


def entities(text: str) -> str:
    return "".join(f"&#{ord(c)};" for c in text)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


def percented(text: str) -> str:
    return "".join(f"%{ord(c):02x}" for c in text)


def codes(text: str) -> str:
    return " ".join(str(ord(c)) for c in text)


def rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


DISGUISES = (
    leet, cyrillic, mathematical, caesar, atbash, shuffled, counted, diluted, vowelless,
    word_by_word_reversed, interleaved, twice_packed, packed_backwards, entities, escaped,
    percented, codes, rot13,
)  # fmt: skip
