"""The outbox: a mail leaves once, whatever breaks, and nothing of it stays behind."""

import asyncio

import pytest
from sqlalchemy import text

from app.core.errors import RefusedError
from app.core.mail import delivery
from app.core.mail.outbox import is_address
from tests.database.catalog import connected
from tests.databases import TestDatabase
from tests.mail.conftest import LETTER, Post
from tests.outside import Outside

pytestmark = pytest.mark.anyio


async def rows(database: TestDatabase) -> list[dict[str, object]]:
    async with connected(database.superuser_url) as connection:
        return [dict(r) for r in await connection.fetch("select * from mails order by id")]


async def past_the_lease(database: TestDatabase) -> None:
    async with connected(database.superuser_url) as connection:
        await connection.execute("update mails set next_attempt_at = now() - interval '1 s'")


async def test_a_mail_is_sent_and_wiped(post: Post, outside: Outside, database: TestDatabase):
    assert await post.queue()
    (before,) = await rows(database)
    assert b"ada@" not in bytes(before["recipient"])
    assert b"Bakery" not in bytes(before["content"])
    assert await post.delivery.drain_batch() is False
    (mail,) = await outside.emails()
    assert mail["to"] == ["ada@example.org"]
    assert mail["subject"] == LETTER.subject
    assert "Harbour Bakery & Sons" in mail["text"]
    assert "Harbour Bakery &amp; Sons" in mail["html"]
    (after,) = await rows(database)
    assert (after["state"], after["recipient"], after["content"]) == ("sent", None, None)
    assert after["provider_id"] == mail["id"]


async def test_a_key_is_queued_once(post: Post, outside: Outside):
    assert [await post.queue() for _ in range(3)] == [True, False, False]
    assert await post.queue("invite:2")
    await post.delivery.drain_batch()
    assert len(await outside.emails()) == 2


async def test_a_transaction_that_fails_leaves_no_mail(post: Post, database: TestDatabase):
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is the transaction
        async with post.db.system() as connection:
            await post.outbox.queue(connection, to="a@b.example", letter=LETTER, key="k")
            raise ZeroDivisionError
    assert await rows(database) == []


async def test_workers_side_by_side_send_each_mail_once(post: Post, outside: Outside):
    for n in range(30):
        await post.queue(f"invite:{n}")
    await asyncio.gather(*(post.delivery.drain_batch() for _ in range(4)))
    assert len(await outside.emails()) == 30


async def test_a_lost_answer_sends_no_second_mail(
    post: Post, outside: Outside, database: TestDatabase
):
    await post.queue()
    await outside.fault("resend", "/emails", drop="after")
    assert (await post.delivery.drain_once())[0] == delivery.Drained(again=1)
    assert (await post.delivery.drain_once())[0] == delivery.Drained(sent=1)
    assert len(await outside.emails()) == 1
    calls = await outside.calls("resend")
    assert len({call["headers"]["idempotency-key"] for call in calls}) == 1
    assert len(calls) == 2
    assert (await rows(database))[0]["attempts"] == 2


async def test_a_worker_that_dies_leaves_a_lease_that_runs_out(
    post: Post, outside: Outside, database: TestDatabase
):
    await post.queue()
    async with post.db.system() as connection:
        claim = text("update mails set attempts = 1, next_attempt_at = now() + interval '60 s'")
        await connection.execute(claim)
    assert (await post.delivery.drain_once())[0] == delivery.Drained()
    await past_the_lease(database)
    assert (await post.delivery.drain_once())[0] == delivery.Drained(sent=1)
    assert len(await outside.emails()) == 1


@pytest.mark.parametrize("status", [400, 422])
async def test_a_mail_that_is_at_fault_is_given_up_at_once(
    post: Post, outside: Outside, database: TestDatabase, status: int
):
    await post.queue()
    await outside.fault("resend", "/emails", status=status, body={"message": "ada@example.org"})
    assert (await post.delivery.drain_once())[0] == delivery.Drained(failed=1)
    (row,) = await rows(database)
    assert (row["state"], row["recipient"], row["content"]) == ("failed", None, None)
    assert row["failure"] == f"answered {status}"


async def test_an_outage_is_waited_for_and_given_up_after_eight_tries(
    post: Post, outside: Outside, database: TestDatabase
):
    await post.queue()
    await outside.fault("resend", "/emails", status=503, times=None)
    for _ in range(delivery.ATTEMPTS_MAX - 1):
        assert (await post.delivery.drain_once())[0] == delivery.Drained(again=1)
    assert (await post.delivery.drain_once())[0] == delivery.Drained(failed=1)
    assert (await post.delivery.drain_once())[0] == delivery.Drained()
    assert (await rows(database))[0]["state"] == "failed"


async def test_retry_after_is_honoured(post: Post, outside: Outside, database: TestDatabase):
    await post.queue()
    await outside.fault("resend", "/emails", status=429, headers={"Retry-After": "120"})
    assert (await post.delivery.drain_once())[0] == delivery.Drained(again=1)
    async with connected(database.superuser_url) as connection:
        wait_s = await connection.fetchval(
            "select extract(epoch from next_attempt_at - now())::float from mails"
        )
    assert 100 < wait_s <= 120


async def test_a_tenants_login_may_add_mails_of_its_own_only(post: Post, database: TestDatabase):
    async with connected(database.superuser_url) as connection:
        await connection.execute("insert into plans (code, name) values ('test', 'Test')")
        mine, theirs = [
            await connection.fetchval(
                "insert into tenants (id, slug, name, plan_code)"
                " values (gen_random_uuid(), $1, 'x', 'test') returning id",
                slug,
            )
            for slug in ("mine", "theirs")
        ]
    terms = {"to": "a@b.example", "letter": LETTER, "key": "k"}
    for expected in (True, False):
        async with post.db.tenant(mine) as connection:
            queued = await post.outbox.queue(connection, **terms, tenant_id=mine)
            assert queued is expected
    for other in (theirs, None):
        with pytest.raises(Exception, match="row-level security"):
            async with post.db.tenant(mine) as connection:
                await post.outbox.queue(connection, **terms, tenant_id=other)
    with pytest.raises(Exception, match="permission denied"):
        async with post.db.tenant(mine) as connection:
            await connection.execute(text("select * from mails"))


def test_only_one_plain_address_is_taken():
    for to in (
        "",
        "ada",
        "a@b, c@d",
        "Ada <a@b.example>",
        "a@b\nBcc: c@d",
        f"{'a' * 250}@b.example",
    ):
        assert not is_address(to)
    assert is_address("ada+billing@mail.bakery.example")


async def test_another_address_is_refused(post: Post):
    with pytest.raises(RefusedError):
        await post.queue(to="Ada <a@b.example>")


def test_pauses_grow_and_are_spread():
    for attempt, bound_s in ((1, 20), (2, 60), (7, 14_580)):
        found = [delivery.pause(attempt, 2.0) for _ in range(200)]
        assert max(found) <= bound_s
        assert max(found) > bound_s * 0.8
        assert min(found) < bound_s * 0.2
