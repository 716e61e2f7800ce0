"""WhatsApp's own forms (polls, orders, choices) in words, and the kinds of files."""

from typing import Any

import pytest

from app.channels.port import ContentKind
from app.channels.waha.content import read_content

POLL = {"name": "When?", "options": [{"optionName": "Monday"}, {"optionName": "Friday"}]}
FORMS: list[tuple[str, dict[str, Any], str]] = [
    ("pollCreationMessageV3", POLL, "When?\n• Monday\n• Friday"),
    (
        "orderMessage",
        {
            "orderTitle": "Harbour Bakery",
            "itemCount": 3,
            "message": "For Friday",
            "totalAmount1000": "12500",
            "totalCurrencyCode": "EUR",
        },
        "Harbour Bakery\n× 3\n12.50 EUR\nFor Friday",
    ),
    (
        "productMessage",
        {"product": {"title": "Rye", "priceAmount1000": 5800, "currencyCode": "EUR"}},
        "Rye\n5.80 EUR",
    ),
    ("groupInviteMessage", {"groupName": "Bakers", "caption": "Join us"}, "Bakers\nJoin us"),
    ("eventMessage", {"name": "Tasting", "description": "On Sunday"}, "Tasting\nOn Sunday"),
    ("listResponseMessage", {"title": "Rye, sliced"}, "Rye, sliced"),
    ("buttonsResponseMessage", {"selectedDisplayText": "Yes"}, "Yes"),
    ("templateButtonReplyMessage", {"selectedDisplayText": "Yes"}, "Yes"),
    ("interactiveResponseMessage", {"body": {"text": "Yes"}}, "Yes"),
]


@pytest.mark.parametrize("holder", ["message", "Message"])
@pytest.mark.parametrize(("name", "told", "words"), FORMS)
def test_forms_are_told_in_words(holder: str, name: str, told: Any, words: str) -> None:
    payload = {"body": None, "hasMedia": False, "_data": {holder: {name: told}}}
    assert read_content(payload) == (ContentKind.TEXT, words)


def test_a_poll_of_webjs() -> None:
    data = {"type": "poll_creation", "pollName": "When?", "pollOptions": POLL["options"]}
    kind, words = read_content({"body": "", "_data": data})
    assert (kind, words) == (ContentKind.TEXT, "When?\n• Monday\n• Friday")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"message": {"protocolMessage": {"type": 3}}},
        {"message": {"senderKeyDistributionMessage": {"groupId": "x"}}},
        {"message": {"pollCreationMessage": None}},
        {"message": {"orderMessage": {"itemCount": {}}}},
        {"message": [1], "Message": 7, "type": {"a": 1}},
        {"type": "ciphertext"},
        {"type": "poll_creation", "pollOptions": [None, 1]},
    ],
)
def test_what_says_nothing_is_empty(data: dict[str, Any]) -> None:
    assert read_content({"body": " ", "hasMedia": False, "_data": data}) == (
        ContentKind.EMPTY,
        None,
    )


@pytest.mark.parametrize(
    ("data", "mimetype", "kind"),
    [
        ({"message": {"audioMessage": {"ptt": True}}}, None, ContentKind.AUDIO),
        ({"Message": {"imageMessage": {}}}, None, ContentKind.IMAGE),
        ({"type": "ptt"}, None, ContentKind.AUDIO),
        ({"type": "document"}, "image/png", ContentKind.DOCUMENT),
        (
            {
                "message": {
                    "documentWithCaptionMessage": {"message": {"documentMessage": {"title": "x"}}}
                }
            },
            "image/png",
            ContentKind.DOCUMENT,
        ),
        (
            {"message": {"viewOnceMessageV2": {"message": {"videoMessage": {}}}}},
            None,
            ContentKind.VIDEO,
        ),
        ({"message": {"ptvMessage": {}}}, None, ContentKind.VIDEO),
        ({}, "audio/ogg", ContentKind.AUDIO),
        ({}, None, ContentKind.DOCUMENT),
    ],
)
def test_the_kind_of_a_file(data: dict[str, Any], mimetype: str | None, kind: ContentKind) -> None:
    media = {"mimetype": mimetype} if mimetype else None
    payload = {"body": None, "hasMedia": True, "media": media, "_data": data}
    assert read_content(payload)[0] is kind
