"""One-time codes by WhatsApp: six digits, five tries, ten minutes, never charged."""

import re
from typing import Any

import pytest

from app.channels.port import ChannelAccess
from app.core.errors import NotFoundError, RefusedError, TooManyAttemptsError
from app.core.ids import uuid7
from tenants.own_phones import OwnPhones
from tenants.phone_codes import PhoneCodes, normalise_phone
from tenants.service import Actor
from tests.people.house import House, device
from tests.worlds import Shop

pytestmark = pytest.mark.anyio
PHONE = "+49 151 5550123"
ACTOR = Actor("system")


class Phone:
    """A channel that keeps what it is asked to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str | None]] = []

    def honours_client_id(self, access: ChannelAccess) -> bool:
        return bool(access.session)

    async def mark_seen(self, access: ChannelAccess, chat: str) -> None:
        raise AssertionError(f"a code is no answer: {access.session} {chat}")

    async def set_typing(self, access: ChannelAccess, chat: str, *, on: bool) -> None:
        raise AssertionError(f"a code is no answer: {access.session} {chat} {on}")

    async def send_text(
        self, access: ChannelAccess, chat: str, text: str, client_id: str | None
    ) -> str | None:
        assert access.session
        self.sent.append((chat, text, client_id))
        return client_id

    @property
    def code(self) -> str:
        found = re.match(r"\d{6}", self.sent[-1][1])
        assert found
        return found[0]


async def opened(house: House) -> tuple[Shop, Phone, PhoneCodes]:
    phone = Phone()
    codes = PhoneCodes(house.database.db, house.limiter, house.settings, phone)
    return await house.database.open_shop(), phone, codes


async def send(shop: Shop, codes: PhoneCodes, **changes: Any) -> None:
    await codes.send(
        changes.get("tenant", shop.tenant_id), changes.get("channel", shop.channel_id),
        changes.get("phone", PHONE), purpose="identity", business="Harbour Bakery",
    )  # fmt: skip


async def check(shop: Shop, codes: PhoneCodes, code: str) -> None:
    await codes.check(shop.tenant_id, "0049 151 5550123", code, purpose="identity", actor=ACTOR)


async def test_the_right_code_counts_once(house: House):
    shop, phone, codes = await opened(house)
    await send(shop, codes)
    assert phone.sent[0][0] == "491515550123@c.us"
    await check(shop, codes, f" {phone.code[:3]} {phone.code[3:]}")
    with pytest.raises(RefusedError):
        await check(shop, codes, phone.code)


async def test_neither_number_nor_code_is_stored(house: House):
    shop, phone, codes = await opened(house)
    await send(shop, codes)
    stored = str(await house.rows("select * from phone_codes"))
    assert phone.code not in stored
    assert "5550123" not in stored


async def test_the_fifth_wrong_try_ends_the_code(house: House):
    shop, phone, codes = await opened(house)
    await send(shop, codes)
    wrong = f"{(int(phone.code) + 1) % 1_000_000:06d}"
    for _ in range(5):
        with pytest.raises(RefusedError):
            await check(shop, codes, wrong)
    with pytest.raises(RefusedError):
        await check(shop, codes, phone.code)


async def test_a_code_ends_after_ten_minutes_or_with_the_next(house: House):
    shop, phone, codes = await opened(house)
    await send(shop, codes)
    old = phone.code
    await house.age("phone_codes", 601)
    with pytest.raises(RefusedError):
        await check(shop, codes, old)
    await send(shop, codes)
    first = phone.code
    await send(shop, codes)
    if first != phone.code:
        with pytest.raises(RefusedError):
            await check(shop, codes, first)
    await check(shop, codes, phone.code)


async def test_a_phone_gets_three_codes_in_fifteen_minutes(house: House):
    shop, phone, codes = await opened(house)
    for _ in range(3):
        await send(shop, codes)
    with pytest.raises(TooManyAttemptsError):
        await send(shop, codes)
    assert len(phone.sent) == 3


async def test_nothing_is_charged_and_no_turn_is_made(house: House):
    shop, _, codes = await opened(house)
    await send(shop, codes)
    assert await house.database.turns(shop) == []
    (wallet,) = await house.rows("select held_ucr, spent_ucr from wallets")
    assert wallet == {"held_ucr": 0, "spent_ucr": 0}


async def test_our_own_message_is_not_taken_for_the_owners(house: House):
    shop, phone, codes = await opened(house)
    await send(shop, codes)
    (row,) = await house.rows("select wa_id from phone_codes")
    assert row["wa_id"] == phone.sent[0][2]


async def test_a_foreign_number_is_not_there(house: House):
    shop, phone, codes = await opened(house)
    other = await house.database.open_shop()
    for changes in ({"channel": other.channel_id}, {"channel": uuid7()}):
        with pytest.raises(NotFoundError):
            await send(shop, codes, **changes)
    assert phone.sent == []


@pytest.mark.parametrize("raw", ["", "abc", "12", "+49 151 x", "1" * 16, "٤٩١٥١٥٥٥٠١٢٣"])
def test_what_is_no_number_is_refused(raw: str):
    with pytest.raises(RefusedError, match="country code"):
        normalise_phone(raw)


async def test_a_persons_own_phone_is_proved_and_forgotten(house: House):
    owner = await house.owner()
    phone = Phone()
    codes = PhoneCodes(house.database.db, house.limiter, house.settings, phone)
    own = OwnPhones(house.database.db, codes)
    with pytest.raises(RefusedError, match="Connect a WhatsApp number"):
        await own.send(owner, PHONE, device())
    shop = await house.database.open_shop()
    await house.execute(
        "update channels set tenant_id = :t where id = :c", t=owner.tenant_id, c=shop.channel_id
    )
    digits = await own.send(owner, PHONE, device())
    assert phone.sent[-1][0] == f"{digits}@c.us"
    with pytest.raises(RefusedError):
        await own.confirm(owner, digits, "000000", device())
    with pytest.raises(RefusedError):
        await own.confirm(owner, "4915155509999", phone.code, device())
    assert (await own.of(owner.user_id)).phone is None
    await own.confirm(owner, digits, phone.code, device())
    proved = await own.of(owner.user_id)
    assert (proved.phone, proved.verified_at is not None) == (digits, True)
    trail = await house.rows("select action, subject, after from audit_log order by id")
    assert [e["action"] for e in trail[-2:]] == ["phone.send_code", "phone.owner_phone"]
    assert digits not in str(trail)
    await own.remove(owner, device())
    assert (await own.of(owner.user_id)).phone is None
