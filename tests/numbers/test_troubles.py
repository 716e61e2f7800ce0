"""What goes wrong around a number: servers that are none, letters, roles, campaigns, figures."""

from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest

from app.core.errors import ForbiddenError, NotFoundError, RefusedError, TooManyAttemptsError
from app.core.ids import uuid7
from app.core.mail.outbox import Outbox
from app.messaging.numbers import daily
from app.messaging.numbers.campaigns import Campaigns
from app.messaging.numbers.keeping import watch_numbers
from app.messaging.numbers.reading import Number, NumberState
from app.messaging.numbers.tending import Tended, Tending
from tenants.access import Role
from tenants.login_sessions import StepUpNeededError
from tests.numbers.conftest import DEVICE, PHONE, Counter
from tests.persons import person_of
from tests.worlds import Shop, eventually

pytestmark = pytest.mark.anyio
CUSTOMER = "12025550188"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/", "http://10.0.0.8", "ftp://waha.example.com", "https://u:p@example.com"],
)
async def test_a_server_that_may_not_be_called_is_refused(counter: Counter, shop: Shop, url: str):
    with pytest.raises(RefusedError, match="address"):
        await counter.connect(shop, api_url=url, api_key="k")
    rows = await counter.world.all("select 1 from channels where managed and api_url is not null")
    assert rows == []


@pytest.mark.parametrize("key", ["a\nb", "a\0", "k" * 301])
async def test_a_key_that_no_request_carries_is_refused(counter: Counter, shop: Shop, key: str):
    with pytest.raises(RefusedError, match="key"):
        await counter.numbers.check_server(person_of(shop.tenant_id), "https://8.8.8.8", key)


async def test_a_wrong_key_and_a_waha_that_is_away_are_told(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    for status, problem in ((401, "unauthorized"), (503, "unreachable")):
        path = f"/api/sessions/{number.session}"
        await counter.outside.fault("waha", path, status=status, times=1)
        looked = await counter.numbers.look(person_of(shop.tenant_id), number.id)
        assert (looked.state, looked.problem) == (NumberState.TROUBLE, problem)
        assert looked.down_since is not None
    looked = await counter.numbers.look(person_of(shop.tenant_id), number.id)
    assert (looked.state, looked.down_since) == (NumberState.WORKING, None)


async def test_a_session_of_somebody_else_is_left_alone(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    body = {"config": {"metadata": {"parley.channel": "another"}}}
    path = f"/api/sessions/{number.session}"
    await counter.outside.http.put(path, json=body, headers={"X-Api-Key": "the key"})
    await counter.tend()
    assert (await counter.of(shop, number.id)).problem == "taken"
    assert (await counter.session(number))["config"] == body["config"]


async def test_roles_and_other_businesses(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    other = await counter.world.open_shop()
    with pytest.raises(NotFoundError):
        await counter.numbers.one(person_of(other.tenant_id), number.id)
    with pytest.raises(NotFoundError):
        await counter.numbers.remove(person_of(other.tenant_id), number.id, DEVICE)
    with pytest.raises(ForbiddenError):
        await counter.numbers.all_of(person_of(shop.tenant_id, Role.AGENT))
    stale = person_of(shop.tenant_id, confirmed_recently=False)
    assert await counter.numbers.one(stale, number.id)
    with pytest.raises(StepUpNeededError):
        await counter.numbers.log_out(stale, number.id, DEVICE)


async def test_owners_are_written_to_once_when_a_number_stays_down(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    owner = uuid7()
    await counter.world.run(
        "insert into users (id, email, name, email_verified_at) values ($1, $2, 'Ada', now())",
        owner,
        f"{uuid4().hex}@example.org",
    )
    await counter.world.run(
        "insert into memberships (tenant_id, user_id, role) values ($1, $2, 'owner')",
        shop.tenant_id,
        owner,
    )
    outbox = Outbox(counter.settings.keyring())
    queued = []
    for minutes in (10, 20, 30):
        await counter.world.run(
            "update channels set down_since = date_trunc('hour', now()) - make_interval(mins => $2)"
            " where id = $1",
            number.id,
            20 if minutes > 10 else -90,
        )
        async with counter.world.db.system() as connection:
            queued.append(await watch_numbers(connection, outbox, "https://desk.example.org", 900))
    assert queued == [0, 1, 0]
    (mail,) = await counter.world.all(
        "select id, recipient, content from mails where tenant_id = $1", shop.tenant_id
    )
    _, letter = outbox.open(mail["id"], mail["recipient"], mail["content"])
    assert letter.subject == "Front desk is not connected to WhatsApp"
    assert f"/numbers/{number.id}" in letter.text


async def test_a_test_message_reaches_the_own_phone_only(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    person = person_of(shop.tenant_id)
    await counter.pairing.send_test(person, number.id, "Only a test", DEVICE)
    shown = (await counter.outside.get(f"/_sim/customers/{PHONE}/messages"))["messages"]
    assert [m["text"] for m in shown if m["text"] == "Only a test"]
    with pytest.raises(TooManyAttemptsError):
        await counter.pairing.send_test(person, number.id, "Only a test", DEVICE)
    # WAHA's own list tells of it too, without saying whose number that is.
    await counter.world.run(
        "update channels set reconcile_due_at = now() + interval '1 day' where id <> $1", number.id
    )
    assert await counter.reconciler.run_once() > 0
    await counter.world.drain()
    assert await counter.world.conversations(shop) == []


async def test_a_scanned_poster_is_the_source_of_a_new_customer(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    person, campaigns = person_of(shop.tenant_id), Campaigns(counter.world.db)
    made = [
        await campaigns.create(person, number.id, label=label, greeting="Hello!", device=DEVICE)
        for label in ("Window", "Flyer")
    ]
    window, flyer = [await campaigns.read(person, number.id, one) for one in made]
    assert window.link(f"{PHONE}@c.us").startswith(f"https://wa.me/{PHONE}?text=Hello%21%20%23")
    for written in (window.message, f"again {flyer.message}", "no code"):
        await counter.outside.post(
            f"/_sim/customers/{CUSTOMER}/messages", {"text": written, "session": number.session}
        )

        async def arrived(body: str = written) -> bool:
            await counter.world.drain()
            return body in [m["body"] for m in await counter.world.messages(shop)]

        await eventually(arrived, written)
    (contact,) = await counter.world.all(
        "select campaign_id from contacts where tenant_id = $1", shop.tenant_id
    )
    assert contact["campaign_id"] == window.id
    found = {c.label: (c.contacts, c.scans) for c in await campaigns.of(person, number.id)}
    assert found == {"Window": (1, 1), "Flyer": (0, 1)}
    await campaigns.archive(person, number.id, flyer.id, DEVICE)
    assert [c.label for c in await campaigns.of(person, number.id)] == ["Window"]


async def test_days_are_counted_once_they_are_over(counter: Counter, shop: Shop):
    async with counter.world.db.tenant(shop.tenant_id) as connection:
        today = await daily.today_of(connection, shop.tenant_id)
    assert (today.received, today.spent_ucr, sum(today.reply_counts)) == (0, 0, 0)
    await counter.world.run(
        "update tenants set created_at = now() - interval '3 days' where id = $1", shop.tenant_id
    )
    async with counter.world.db.system() as connection:
        assert await daily.count_days(connection) >= 3
        assert await daily.count_days(connection) == 0
    async with counter.world.db.tenant(shop.tenant_id) as connection:
        days = await daily.past_days(connection, shop.tenant_id, date(2020, 1, 1))
    assert len(days) == 3


def test_percentiles_are_read_between_the_edges():
    counts = [0] * (len(daily.EDGES_S) + 1)
    assert daily.percentile_s(counts, 0.5) is None
    counts[4] = 10  # between 4 and 5 seconds
    assert daily.percentile_s(counts, 0.5) == 4.5
    counts[-1] = 10
    assert daily.percentile_s(counts, 0.95) == daily.EDGES_S[-1]
    day = daily.Day(date(2026, 11, 23), 2, 1, 0, {"paused": 1}, tuple(counts), 5)
    summed = daily.added_up([day, replace(day, reply_counts=())], day.day)
    assert (summed.received, summed.silent, sum(summed.reply_counts)) == (4, {"paused": 2}, 20)


async def test_a_number_that_breaks_the_keeper_keeps_no_other(
    counter: Counter, shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    broken, other = await counter.connect(shop), await counter.connect(shop)
    settle = Tending.settle

    async def breaks(tending: Tending, number: Number) -> Tended:
        if number.id == broken:
            raise ValueError
        return await settle(tending, number)

    monkeypatch.setattr(Tending, "settle", breaks)
    await counter.world.run("update channels set seen_at = null")
    await counter.tend()
    assert (await counter.of(shop, other)).seen_at is not None
    assert (await counter.of(shop, broken)).seen_at is None
