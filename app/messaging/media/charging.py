"""What reading a turn's files adds to its price, and to what the providers charge us.

Recordings are priced by the minute, documents by the page, pictures by the tokens of the model
that described them. Files are read before the hold, so their price is exact in it.
"""

from collections.abc import Sequence

from app.core.ports import FileUse
from billing import prices


def price_ucr(price: prices.PriceVersion, files: Sequence[FileUse]) -> int:
    """Return what the files of a turn add to its price, in micro-credits."""
    return sum(prices.price_of(price, _charged(file)) for file in files)


def cost_usd_micro(price: prices.PriceVersion, files: Sequence[FileUse]) -> int | None:
    """Return what the files cost us, in micro-dollars; None when a model's price is unknown."""
    costs = [
        prices.provider_cost(price, prices.Usage(model=f.model, replies=0, **_tokens(f)))
        for f in files
        if f.model is not None
    ]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def figures(files: Sequence[FileUse]) -> dict[str, int]:
    """Return what was read, for the record of the charge; empty when there was nothing."""
    if not files:
        return {}
    return {
        "files": len(files),
        "audio_ms": sum(f.audio_ms for f in files),
        "pages": sum(f.pages for f in files),
    }


def _charged(file: FileUse) -> prices.Usage:
    tokens = {} if file.audio_ms else _tokens(file)
    return prices.Usage(
        model=file.model or "", replies=0, audio_ms=file.audio_ms, pages=file.pages, **tokens
    )


def _tokens(file: FileUse) -> dict[str, int]:
    return {"input_tokens": file.input_tokens, "output_tokens": file.output_tokens}
