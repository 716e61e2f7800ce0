"""Embeddings without a model: hashed words and letter groups, the same for the same text always.

Texts that share words or parts of words point in similar directions, which is enough for a
retrieval to find the right passage on a bare machine.
"""

import array
import base64
import hashlib
import math
import sys
from functools import lru_cache

from simulator.model.words import tokens, words

DIMENSIONS_DEFAULT = 384
DIMENSIONS_MAX = 4096
_WORD_WEIGHT = 1.0
_TOKEN_WEIGHT = 1.5
_GRAM_WEIGHT = 0.25
_GRAM_LENGTH = 3


@lru_cache(maxsize=4096)
def _slot(feature: str) -> tuple[int, float]:
    digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
    value = int.from_bytes(digest, "big")
    return value >> 1, 1.0 if value & 1 else -1.0


def embed(text: str, dimensions: int = DIMENSIONS_DEFAULT) -> list[float]:
    """A vector of length 1 (an empty text has its own fixed one)."""
    vector = [0.0] * dimensions
    for feature, weight in _features(text):
        slot, sign = _slot(feature)
        vector[slot % dimensions] += sign * weight
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _features(text: str) -> list[tuple[str, float]]:
    features = [(f"t:{token}", _TOKEN_WEIGHT) for token in sorted(tokens(text))]
    for word in words(text):
        features.append((f"w:{word}", _WORD_WEIGHT))
        padded = f"^{word}$"
        features += [
            (f"g:{padded[i : i + _GRAM_LENGTH]}", _GRAM_WEIGHT)
            for i in range(len(padded) - _GRAM_LENGTH + 1)
        ]
    return features


def as_base64(vector: list[float]) -> str:
    """The vector as little-endian 32-bit floats in base64, the form clients ask for by default."""
    packed = array.array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
