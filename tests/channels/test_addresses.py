"""Addresses and message ids: many spellings, one normal form."""

import pytest

from app.channels.port import ChatKind
from app.channels.waha.addresses import chat_kind, normalise_address, parse_message_id

BARE = "3EB0C0FFEE00112233445566"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("4930155501@c.us", "4930155501@c.us"),
        ("4930155501@s.whatsapp.net", "4930155501@c.us"),
        ("4930155501:17@s.whatsapp.net", "4930155501@c.us"),
        ("4930155501:0@c.us", "4930155501@c.us"),
        (" 4930155501@C.US\n", "4930155501@c.us"),
        ("4930155501", "4930155501@c.us"),
        ("+4930155501", "4930155501@c.us"),
        ("270000000000001@lid", "270000000000001@lid"),
        ("270000000000001:3@lid", "270000000000001@lid"),
        ("4930155501.0:17@s.whatsapp.net", "4930155501@c.us"),
        ("270000000000001.1:3@lid", "270000000000001@lid"),
        ("120363000000000007@g.us", "120363000000000007@g.us"),
        ("4930155501-1600000000@g.us", "4930155501-1600000000@g.us"),
        ("status@broadcast", "status@broadcast"),
        ("someone", "someone"),
        ("", ""),
        ("@", "@"),
    ],
)
def test_one_form_for_an_address(raw: str, normal: str) -> None:
    assert normalise_address(raw) == normal
    assert normalise_address(normal) == normal


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("4930155501@c.us", ChatKind.PHONE),
        ("270000000000001@lid", ChatKind.LID),
        ("120363000000000007@g.us", ChatKind.GROUP),
        ("120363000000000008@newsletter", ChatKind.NEWSLETTER),
        ("status@broadcast", ChatKind.BROADCAST),
        ("1600@broadcast", ChatKind.BROADCAST),
        ("0@c.us", ChatKind.OTHER),
        ("00@c.us", ChatKind.OTHER),
        ("abc@c.us", ChatKind.OTHER),
        ("@c.us", ChatKind.OTHER),
        ("@lid", ChatKind.OTHER),
        ("x@lid", ChatKind.OTHER),
        ("٤٩٣٠@c.us", ChatKind.OTHER),
        ("867051314767696@meta.ai", ChatKind.OTHER),
        ("4930155501@c.us@lid", ChatKind.OTHER),
        ("4930155501@c.us\x00", ChatKind.OTHER),
        ("4930155501", ChatKind.OTHER),
        ("", ChatKind.OTHER),
    ],
)
def test_what_an_address_stands_for(address: str, kind: ChatKind) -> None:
    assert chat_kind(address) is kind


@pytest.mark.parametrize(
    ("raw", "from_me", "chat"),
    [
        (f"false_4930155501@c.us_{BARE}", False, "4930155501@c.us"),
        (f"true_4930155501@s.whatsapp.net_{BARE}", True, "4930155501@c.us"),
        (f"false_270000000000001@lid_{BARE}", False, "270000000000001@lid"),
        (f"false_1203@g.us_{BARE}_4930155501@c.us", False, "1203@g.us"),
        (f"true_1203@g.us_{BARE}_270000000000001:5@lid", True, "1203@g.us"),
        (f"4930155501@c.us_{BARE}", None, "4930155501@c.us"),
        (BARE, None, None),
        (f" {BARE} ", None, None),
    ],
)
def test_a_message_id_taken_apart(raw: str, from_me: bool | None, chat: str | None) -> None:
    found = parse_message_id(raw)
    assert found is not None
    assert (found.bare, found.from_me, found.chat) == (BARE, from_me, chat)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "false_4930155501@c.us_",
        "a\x00b",
        "ä" * 10,
        "x" * 129,
        "\ud800",
        "a\nb",
        "123@g.us",
    ],
)
def test_no_usable_message_id(raw: str) -> None:
    assert parse_message_id(raw) is None
