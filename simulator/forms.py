"""Reading a multipart form, as programs upload files."""

import re
from dataclasses import dataclass

from simulator.http import Request

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(r'\bname="([^"]*)"')
_FILE_NAME = re.compile(r'\bfilename="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; ``filename`` is None where it is no file."""

    content: bytes
    filename: str | None


def read_form(request: Request) -> dict[str, Field]:
    """The fields of a multipart body by name; empty when it is none."""
    content_type = request.headers.get("content-type", "")
    boundary = _BOUNDARY.search(content_type)
    if not content_type.startswith("multipart/form-data") or boundary is None:
        return {}
    fields: dict[str, Field] = {}
    for part in request.body.split(b"--" + boundary.group(1).encode())[1:-1]:
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        told = head.decode("utf-8", "replace")
        name, file_name = _NAME.search(told), _FILE_NAME.search(told)
        if blank and name:
            file = file_name.group(1) if file_name else None
            fields[name.group(1)] = Field(content.removesuffix(b"\r\n"), file)
    return fields
