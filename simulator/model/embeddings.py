"""What `/v1/embeddings` answers: vectors of a real model, in the form the client asked for."""

import array
import asyncio
import base64
import sys
from collections.abc import Sequence

from simulator.model import minilm

DIMENSIONS = minilm.DIMENSIONS


async def embed(texts: Sequence[str]) -> tuple[list[list[float]], int]:
    """Vectors of length 1 and the tokens used; the model loads with the first call."""
    return await asyncio.to_thread(minilm.embed, texts)


def as_base64(vector: list[float]) -> str:
    """The vector as little-endian 32-bit floats in base64, the form clients ask for by default."""
    packed = array.array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
