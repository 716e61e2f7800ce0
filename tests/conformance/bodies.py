"""The bodies beside the repository: as published, and as deliveries recorded on the wire."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "shared" / "protocols" / "waha"
KEY = "my-secret-key"
_NO_BODIES = {"openapi.json", "hmac-vectors.json"}


@dataclass(frozen=True)
class Sample:
    """A webhook body; ``headers`` are those of the wire, in their order, where recorded."""

    name: str
    raw: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """The decoded body."""
        value: dict[str, Any] = json.loads(self.raw)
        return value

    @property
    def event(self) -> str:
        """The event's name; one published body has none."""
        return self.body.get("event") or ""

    def __str__(self) -> str:
        return self.name


def published() -> list[Sample]:
    """Bodies as printed in documentation, tests and issues."""
    return [
        Sample(path.relative_to(FOLDER).as_posix(), path.read_bytes())
        for folder in (FOLDER, FOLDER / "issues")
        for path in sorted(folder.glob("*.json"))
        if path.name not in _NO_BODIES
    ]


def recorded() -> list[Sample]:
    """Deliveries of WAHA's own sender, byte for byte."""
    return list(_recordings())


def _recordings() -> Iterator[Sample]:
    for folder in (FOLDER / "wire", FOLDER / "derived"):
        for path in sorted(folder.glob("*.json")):
            told = json.loads(path.read_bytes())
            yield Sample(
                path.relative_to(FOLDER).as_posix(),
                base64.b64decode(told["body_base64"]),
                tuple((name, value) for name, value in told["headers"]),
            )


def vectors() -> list[dict[str, Any]]:
    """Signatures with their verdicts: True, False, or None where a receiver may choose."""
    told = json.loads((FOLDER / "hmac-vectors.json").read_bytes())
    genuine = [{**vector, "valid": True, "why": "published"} for vector in told["published"]]
    return [*genuine, *told["derived_negatives"]]
