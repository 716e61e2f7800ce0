"""WAHA's bodies as events of ours, for each engine."""

from datetime import UTC, datetime, timedelta

import pytest

from app.channels.port import (
    AckEvent,
    ChatKind,
    ContentKind,
    EditEvent,
    Event,
    IgnoredEvent,
    MessageEvent,
    PresenceEvent,
    RevokeEvent,
    SessionEvent,
)
from app.channels.waha.parse import parse_envelope, parse_event
from tests.fixtures import cases
from tests.fixtures.waha import (
    CUSTOMER,
    CUSTOMER_LID,
    ENGINES,
    GROUP,
    OWN_LID,
    OWN_PHONE,
    THUMBNAIL,
    Body,
    WahaSession,
)

NOW = datetime(2026, 7, 24, 10, 0, tzinfo=UTC)
ODD_TIMES: tuple[object, ...] = (
    *(None, 0, -5, True, "soon", "", [], {}, 10**18, 10**299, 10**400),
    *(1e308, float("inf"), float("nan")),
)


@pytest.fixture(params=ENGINES)
def waha(request: pytest.FixtureRequest) -> WahaSession:
    return WahaSession(engine=request.param, now_s=NOW.timestamp())


def event_of(body: Body) -> Event:
    return parse_event(body, NOW)


def message_of(body: Body) -> MessageEvent:
    event = event_of(body)
    assert isinstance(event, MessageEvent)
    return event


def test_the_envelope(waha: WahaSession) -> None:
    body = waha.message()
    envelope = parse_envelope(body, NOW)
    assert (envelope.event, envelope.session) == ("message", "desk")
    assert envelope.body_id == body["id"]
    assert (envelope.engine, envelope.engine_version) == (waha.engine, "2026.7.1")
    assert envelope.own_addresses == (f"{OWN_PHONE}@c.us", f"{OWN_LID}@lid")


@pytest.mark.parametrize("body", [{}, {"event": None}, {"event": 7, "me": [], "environment": "x"}])
def test_an_envelope_of_nothing(body: Body) -> None:
    envelope = parse_envelope(body, NOW)
    assert envelope.event == "unknown"
    assert (envelope.session, envelope.body_id, envelope.engine) == (None, None, None)
    assert envelope.own_addresses == ()


def test_a_text(waha: WahaSession) -> None:
    found = message_of(waha.message("Größe? 🥐", wa_id="3EB0AB", push_name="Ada B."))
    assert found == MessageEvent(
        wa_id="3EB0AB",
        chat=CUSTOMER,
        chat_kind=ChatKind.PHONE,
        from_me=False,
        via_api=False,
        kind=ContentKind.TEXT,
        body="Größe? 🥐",
        sent_at=NOW,
        push_name="Ada B.",
    )


def test_message_and_message_any_are_one_message(waha: WahaSession) -> None:
    first = waha.message(wa_id="3EB0AB")
    assert message_of({**first, "event": "message.any"}) == message_of(first)


def test_an_own_message(waha: WahaSession) -> None:
    found = message_of(waha.owner_writes("on my way"))
    assert (found.chat, found.from_me, found.via_api) == (CUSTOMER, True, False)
    assert found.push_name is None
    assert message_of(waha.owner_writes("sent by program", source="api")).via_api


def test_a_hidden_number_and_the_phone_behind_it(waha: WahaSession) -> None:
    plain = message_of(waha.message(chat=CUSTOMER_LID))
    assert (plain.chat, plain.chat_kind, plain.alternate) == (CUSTOMER_LID, ChatKind.LID, None)


@pytest.mark.parametrize("engine", ["NOWEB", "GOWS"])
@pytest.mark.parametrize("from_me", [False, True])
def test_the_engines_hint_at_the_other_address(engine: str, from_me: bool) -> None:
    waha = WahaSession(engine=engine)
    by_lid = message_of(waha.message(chat=CUSTOMER_LID, alternate=CUSTOMER, from_me=from_me))
    by_phone = message_of(waha.message(chat=CUSTOMER, alternate=CUSTOMER_LID, from_me=from_me))
    assert (by_lid.chat, by_lid.alternate) == (CUSTOMER_LID, CUSTOMER)
    assert (by_phone.chat, by_phone.alternate) == (CUSTOMER, CUSTOMER_LID)


@pytest.mark.parametrize("engine", ["NOWEB", "GOWS"])
@pytest.mark.parametrize("hint", [CUSTOMER_LID, "270000000000002@lid", "x", GROUP])
def test_a_hint_counts_only_between_a_phone_and_a_hidden_number(engine: str, hint: str) -> None:
    waha = WahaSession(engine=engine)
    assert message_of(waha.message(chat=CUSTOMER_LID, alternate=hint)).alternate is None


def test_a_device_suffix_is_dropped(waha: WahaSession) -> None:
    body = waha.message(wa_id="3EB0AB")
    body["payload"]["id"] = "false_4930155501:12@s.whatsapp.net_3EB0AB"
    assert message_of(body).chat == CUSTOMER


def test_a_bare_id_leaves_the_chat_to_from_and_to(waha: WahaSession) -> None:
    received, sent = waha.message(), waha.owner_writes(to=CUSTOMER)
    received["payload"]["id"] = sent["payload"]["id"] = "3EB0AB"
    assert message_of(received).chat == CUSTOMER
    assert message_of(sent).chat == CUSTOMER


def test_an_id_that_is_an_object(waha: WahaSession) -> None:
    body = waha.message(wa_id="3EB0AB")
    serialized = body["payload"]["id"]
    body["payload"]["id"] = {"fromMe": False, "id": "3EB0AB", "_serialized": serialized}
    assert message_of(body).wa_id == "3EB0AB"
    body["payload"]["id"] = {"fromMe": False, "id": "3EB0AB"}
    assert message_of(body).wa_id == "3EB0AB"


def test_a_quoted_message_is_named_by_its_bare_id(waha: WahaSession) -> None:
    for name in ("3EB0CD", f"false_{CUSTOMER}_3EB0CD"):
        assert message_of(waha.message(replyTo={"id": name})).reply_to == "3EB0CD"


def test_a_location_is_told_in_words(waha: WahaSession) -> None:
    found = message_of(waha.location())
    assert found.kind is ContentKind.LOCATION
    assert found.body == "Harbour, Quay 7, Berlin, 52.5200, 13.4050"
    assert THUMBNAIL not in (found.body or "")
    assert message_of(waha.location(live=True, named=False)).body == "52.5200, 13.4050"


@pytest.mark.parametrize("odd", [{"a": 1}, [1], None, True, {"a": {"b": {}}}])
def test_coordinates_of_an_odd_kind_are_left_out(waha: WahaSession, odd: object) -> None:
    place = {"latitude": odd, "longitude": odd, "name": "Harbour"}
    assert message_of(waha.message(None, location=place)).body == "Harbour"


def test_shared_contacts_are_told_by_name_and_number(waha: WahaSession) -> None:
    found = message_of(waha.contact_cards("Grace Baker", "Miller & Söhne"))
    assert found.kind is ContentKind.CONTACT
    assert found.body == "Grace Baker +4930155577, Miller & Söhne +4930155577"
    nameless = message_of(waha.message(None, vCards=["BEGIN:VCARD\r\nEND:VCARD", 7]))
    assert (nameless.kind, nameless.body) == (ContentKind.CONTACT, "?, ?")


@pytest.mark.parametrize(
    ("mimetype", "kind"),
    [
        ("image/jpeg", ContentKind.IMAGE),
        ("video/mp4", ContentKind.VIDEO),
        ("audio/ogg; codecs=opus", ContentKind.AUDIO),
        ("application/pdf", ContentKind.DOCUMENT),
        ("nonsense", ContentKind.DOCUMENT),
    ],
)
def test_media(waha: WahaSession, mimetype: str, kind: ContentKind) -> None:
    found = message_of(waha.media(mimetype, caption="this one", filename="a b.bin"))
    assert (found.kind, found.body) == (kind, "this one")
    assert found.media is not None
    assert (found.media["mimetype"], found.media["filename"]) == (mimetype, "a b.bin")
    assert found.media["url"].startswith("http://localhost:3000/api/files/desk/")


def test_media_that_did_not_come(waha: WahaSession) -> None:
    for media in (None, {"url": None, "error": {"message": "timeout"}}, {"error": "boom"}):
        found = message_of(waha.media(media=media))
        assert (found.kind, found.media) == (ContentKind.DOCUMENT, None)


def test_a_sticker(waha: WahaSession) -> None:
    assert message_of(waha.sticker()).kind is ContentKind.STICKER


@pytest.mark.parametrize("body", [None, "", " ", "\n\t\u3000", 7, {"a": 1}, []])
def test_nothing_to_read(waha: WahaSession, body: object) -> None:
    found = message_of(waha.message(body))
    assert (found.kind, found.body) == (ContentKind.EMPTY, None)


def test_unstorable_characters_are_replaced(waha: WahaSession) -> None:
    found = message_of(waha.message("a\x00b\ud800c", push_name="\udfffAda\x00"))
    assert (found.body, found.push_name) == ("a\ufffdb\ufffdc", "\ufffdAda\ufffd")
    assert len(message_of(waha.message("x" * 100_000)).body or "") == 65_536


@pytest.mark.parametrize(
    ("stamp", "sent_at"),
    [
        (1_784_000_000, datetime.fromtimestamp(1_784_000_000, UTC)),
        (1_784_000_000.9, datetime.fromtimestamp(1_784_000_000, UTC)),
        (1_784_000_000_000, datetime.fromtimestamp(1_784_000_000, UTC)),
        ("1784000000", datetime.fromtimestamp(1_784_000_000, UTC)),
        (NOW.timestamp() + 60, NOW + timedelta(seconds=60)),
        (NOW.timestamp() + 86_400, NOW),
        *((odd, NOW) for odd in ODD_TIMES),
    ],
)
def test_times(waha: WahaSession, stamp: object, sent_at: datetime) -> None:
    body = waha.message()
    body["payload"]["timestamp"] = stamp
    assert message_of(body).sent_at == sent_at


def test_acks(waha: WahaSession) -> None:
    for level in (-1, 0, 1, 2, 3, 4):
        assert event_of(waha.ack("3EB0AB", level)) == AckEvent("3EB0AB", CUSTOMER, True, level)
    theirs = event_of(waha.ack("3EB0AB", 3, from_me=False))
    assert theirs == AckEvent("3EB0AB", CUSTOMER, False, 3)
    for odd in (None, "READ", True, float("inf")):
        assert isinstance(event_of(waha.ack("3EB0AB", 1, ack=odd)), IgnoredEvent)


def test_edits_and_revokes(waha: WahaSession) -> None:
    assert event_of(waha.edited("3EB0AB", "rye")) == EditEvent("3EB0AB", False, "rye")
    own = event_of(waha.edited("3EB0AB", "rye", from_me=True))
    assert own == EditEvent("3EB0AB", True, "rye")
    assert event_of(waha.revoked("3EB0AB")) == RevokeEvent("3EB0AB")
    told_before = waha.revoked("3EB0AB")
    told_before["payload"]["revokedMessageId"] = None
    told_before["payload"]["before"] = waha.message(wa_id="3EB0AB")["payload"]
    assert event_of(told_before) == RevokeEvent("3EB0AB")


@pytest.mark.parametrize("status", ["WORKING", "SCAN_QR_CODE", "PASSKEY_REQUIRED", "DREAMING"])
def test_session_status(waha: WahaSession, status: str) -> None:
    told = event_of(waha.session_status(status))
    assert isinstance(told, SessionEvent)
    assert (told.status, told.own_address) == (status, None)


def test_a_session_status_orders_itself_by_a_time_that_can_be(waha: WahaSession) -> None:
    body = waha.session_status("WORKING")
    now_ms = int(NOW.timestamp() * 1000)
    for at_ms in (now_ms - 5, now_ms):
        body["payload"]["statuses"] = [{"status": "WORKING", "timestamp": at_ms}]
        assert event_of(body) == SessionEvent("WORKING", None, at_ms)
    for odd in (*ODD_TIMES, now_ms + 3_600_000, 2**64):
        body["payload"]["statuses"] = [{"status": "WORKING", "timestamp": odd}]
        assert event_of(body) == SessionEvent("WORKING", None, None)


def test_presence(waha: WahaSession) -> None:
    for state in ("typing", "recording"):
        assert event_of(waha.presence(state)) == PresenceEvent(CUSTOMER, True)
    for state in ("paused", "online", "offline", "juggling"):
        assert event_of(waha.presence(state)) == PresenceEvent(CUSTOMER, False)


@pytest.mark.parametrize("payload", [None, [], "x", 7, True])
def test_a_payload_of_an_odd_kind(waha: WahaSession, payload: object) -> None:
    for name in ("message", "message.ack", "message.edited", "message.revoked", "session.status"):
        assert isinstance(event_of(waha.emit(name, payload)), IgnoredEvent)
    assert isinstance(event_of(waha.emit("presence.update", payload)), IgnoredEvent)


@pytest.mark.parametrize("case", cases.messages(), ids=str)
def test_every_kind_of_message_is_understood(case: cases.Case) -> None:
    found = message_of(case.body("desk"))
    assert found.wa_id
    direct = found.chat_kind in {ChatKind.PHONE, ChatKind.LID}
    assert direct is not case.outcome.startswith(
        tuple(f"ignored_kind:{kind}" for kind in ("group", "newsletter", "broadcast", "other"))
    )


def test_engines_agree_on_what_was_said() -> None:
    names = {case.name for case in cases.messages()}
    for name in names:
        same = [c for c in cases.messages() if c.name == name]
        found = [message_of(case.body("desk")) for case in same]
        told = {(m.chat, m.chat_kind, m.from_me, m.kind, m.body) for m in found}
        assert len(told) == 1, name
