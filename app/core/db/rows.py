"""Sets of rows as one parameter: a JSON array that SQL opens with ``jsonb_to_recordset``."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


def as_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Encode rows for ``jsonb_to_recordset(cast(:rows as jsonb))``.

    Values are UUIDs, times, numbers, booleans, storable texts, or None.
    """
    return msgspec.json.encode(list(rows)).decode()
