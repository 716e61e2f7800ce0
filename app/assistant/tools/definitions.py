"""A tenant's HTTP tool as its owner defines it: checked, so that only its own system is called.

The URL's host is fixed; declared parameters fill its path and query, percent-encoded. Who the
customer is fills in as ``{{customer.phone}}``, ``{{customer.name}}`` and ``{{customer.id}}``,
always by product code and never from the model's arguments.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import jsonschema
import msgspec

from app.core.errors import RefusedError
from app.core.outbound import OutboundGuard, OutboundRefused
from app.core.text import storable

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
READING = frozenset({"GET"})
TOOLS_MAX = 20
PARAMETERS_MAX = 20
HEADERS_MAX = 10
SCHEMA_CHARS_MAX = 8_000
DESCRIPTION_CHARS_MAX = 600
URL_CHARS_MAX = 1_000
OWN_PLACES = ("customer.phone", "customer.name", "customer.id", "conversation.id")
_REFUSED_KEYWORDS = frozenset({"$ref", "$dynamicRef", "$id", "pattern", "patternProperties"})
RESERVED = frozenset({"customer", "conversation"})
BUILT_IN = frozenset(
    {
        "search_knowledge",
        "hand_to_person",
        "resolve_date",
        "check_hours",
        "remember",
        "verify_customer",
    }
)
_NAME = re.compile(r"[a-z][a-z0-9_]{2,39}", re.ASCII)
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_PLACE = re.compile(r"\{\{\s*([a-z0-9_.]+)\s*\}\}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}", re.ASCII)
_OUR_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "cookie",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """What an owner says of a tool. ``headers`` are secrets: sealed when stored."""

    id: UUID
    name: str
    description: str
    parameters: Mapping[str, Any]
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 8.0
    response_bytes_max: int = 8_192
    needs_verified: bool = False
    enabled: bool = False

    @property
    def host(self) -> str:
        """The host that it calls."""
        return (urlsplit(self.url).hostname or "").removeprefix("www.")

    @property
    def reads(self) -> bool:
        """Tell whether it only looks something up."""
        return self.method in READING


def read_schema(raw: str) -> dict[str, Any]:
    """Read the parameters' JSON schema that somebody typed; RefusedError when it is none."""
    try:
        schema = msgspec.json.decode(raw or "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedError("The parameters are not JSON: %(error)s.", error=error) from None
    if not isinstance(schema, dict):
        raise RefusedError("The parameters are a JSON schema: an object.")
    return schema


def checked(tool: ToolDefinition, guard: OutboundGuard, *, https_only: bool) -> ToolDefinition:
    """Return a definition that can be used; RefusedError says what is wrong with it."""
    if not _NAME.fullmatch(tool.name) or tool.name in BUILT_IN:
        raise RefusedError(
            "Give the tool a name of 3 to 40 small letters, digits and underscores that is not a"
            " built-in one, such as find_order."
        )
    description = storable(tool.description.strip(), chars_max=DESCRIPTION_CHARS_MAX + 1)
    if not 10 <= len(description) <= DESCRIPTION_CHARS_MAX:  # noqa: PLR2004 - a sentence
        raise RefusedError("Say what the tool does and when to use it, in 10 to 600 characters.")
    if tool.method not in METHODS:
        raise RefusedError("Choose a method from the list.")
    parameters = _check_parameters(tool.parameters)
    _check_url(tool.url, parameters, guard, https_only=https_only)
    _check_headers(tool.headers)
    if not 1 <= tool.timeout_s <= 15:  # noqa: PLR2004 - as the table has it
        raise RefusedError("The timeout lies between 1 and 15 seconds.")
    if not 256 <= tool.response_bytes_max <= 16_384:  # noqa: PLR2004 - as the table has it
        raise RefusedError("The answer's size limit lies between 256 and 16384 bytes.")
    return replace(tool, description=description, parameters=parameters)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a URL's places, percent-encoded: none can leave its place."""
    return _PLACE.sub(lambda m: quote(plain(values.get(m[1])), safe=""), template)


def places(template: str) -> set[str]:
    """Return the names of a URL's places."""
    return set(_PLACE.findall(template))


def plain(value: Any) -> str:
    """Return a value as a URL's place shows it, before it is encoded."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return msgspec.json.encode(value).decode()


def _check_parameters(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    whole: dict[str, Any] = {"type": "object", "properties": {}, "required": [], **schema}
    whole["additionalProperties"] = False
    if len(msgspec.json.encode(whole)) > SCHEMA_CHARS_MAX:
        raise RefusedError(
            "The parameters have at most %(most)s characters.", most=SCHEMA_CHARS_MAX
        )
    try:
        jsonschema.Draft202012Validator.check_schema(whole)
    except jsonschema.SchemaError as error:
        raise RefusedError(
            "The parameters are no JSON schema: %(message)s.", message=error.message[:200]
        ) from None
    except RecursionError:
        raise RefusedError("The parameters are nested too deeply.") from None
    properties = whole["properties"]
    if whole["type"] != "object" or not isinstance(properties, dict):
        raise RefusedError("The parameters are a JSON schema of an object.")
    if found := _refused_keyword(whole):
        # A pattern of a stranger's can hold the whole process up; a reference leads elsewhere.
        raise RefusedError(
            "The parameters' schema cannot use %(found)s. Use enum, maxLength or maximum instead.",
            found=found,
        )
    if len(properties) > PARAMETERS_MAX:
        raise RefusedError("Give at most %(most)s parameters.", most=PARAMETERS_MAX)
    for name in properties:
        if not _PARAMETER.fullmatch(name) or name in RESERVED:
            raise RefusedError(
                "Name parameters with small letters, digits and underscores. What is known of the"
                " customer and the conversation is filled in by Parley: it can be none of them."
            )
    return whole


def _refused_keyword(schema: Any) -> str | None:
    """Return a keyword in the schema that is not taken; names of properties are none."""
    waiting = [(schema, False)]
    while waiting:
        each, names = waiting.pop()
        if isinstance(each, list):
            waiting += [(one, False) for one in each]
        elif isinstance(each, dict):
            if not names and (found := _REFUSED_KEYWORDS.intersection(each)):
                return min(found)
            waiting += [(one, key == "properties" and not names) for key, one in each.items()]
    return None


def _check_url(
    url: str, schema: Mapping[str, Any], guard: OutboundGuard, *, https_only: bool
) -> None:
    if len(url) > URL_CHARS_MAX or not url.isprintable() or " " in url:
        raise RefusedError("This is no URL that can be called.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise RefusedError("This is no URL that can be called.") from None
    if "{" in parts.netloc or "{" in parts.scheme or not parts.hostname:
        raise RefusedError("The URL's host is fixed: places may stand in its path and query only.")
    if parts.username or parts.password:
        raise RefusedError("Put credentials into a header, not into the URL.")
    if parts.scheme != "https" and (https_only or parts.scheme != "http"):
        raise RefusedError("The URL must begin with https://.")
    unknown = places(url) - set(schema["properties"]) - set(OWN_PLACES)
    if unknown:
        raise RefusedError(
            "The URL has a place that is no parameter: %(unknown)s.",
            unknown=", ".join(sorted(unknown)),
        )
    try:
        guard.verify_url(f"{parts.scheme}://{parts.netloc}/")
    except OutboundRefused:
        raise RefusedError(
            "This address cannot be called: it is not on the public internet."
        ) from None


def _check_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > HEADERS_MAX:
        raise RefusedError("Give at most %(most)s headers.", most=HEADERS_MAX)
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OUR_HEADERS:
            raise RefusedError("“%(name)s” cannot be set as a header.", name=name[:40])
        if not value.isascii() or not value.isprintable() or len(value) > 2_000:  # noqa: PLR2004
            raise RefusedError(
                "The value of header %(name)s has characters that cannot be sent.", name=name
            )
