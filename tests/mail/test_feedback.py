"""What Resend tells of mails: it counts when signed, in any order, and it has an effect."""

import base64
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from app.core.errors import ParleyError
from app.core.limits.limiter import build_limiter
from app.core.mail.blocks import BOUNCED, COMPLAINED, MailBlocks
from app.http.mail_events import PATH, mail_events
from app.http.problems import on_parley_error
from simulator.resend_events import sign
from tests.databases import TestDatabase
from tests.mail.conftest import LETTER, Post
from tests.mail.test_outbox import rows
from tests.outside import Outside

pytestmark = pytest.mark.anyio
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four").decode()
TO = "ada@example.org"


class Door:
    """The door, and Resend in front of it."""

    def __init__(self, client: httpx.AsyncClient, outside: Outside) -> None:
        self.client = client
        self.outside = outside

    async def tell(self, kind: str, *, secret: str = SECRET, age_s: int = 0, **what: Any) -> int:
        """Let something happen to the newest mail, and tell it; the answer's status."""
        event = await self.outside.post("/_sim/emails/events", {"type": kind, **what})
        return await self.post(event["body"], secret=secret, age_s=age_s)

    async def post(self, body: Any, *, secret: str = SECRET, age_s: int = 0) -> int:
        raw, at_s = msgspec.json.encode(body), int(time.time()) - age_s
        headers = {
            "svix-id": "msg_1",
            "svix-timestamp": str(at_s),
            "svix-signature": sign(secret, "msg_1", at_s, raw),
        }
        return (await self.client.post(PATH, content=raw, headers=headers)).status_code


@pytest.fixture
async def door(post: Post, outside: Outside) -> AsyncIterator[Door]:
    settings = replace(post.settings, resend_webhook_secret=SECRET)
    limiter = build_limiter(settings)

    async def tools() -> Any:
        return post.db, limiter

    app = Litestar(
        [mail_events(settings, tools)], exception_handlers={ParleyError: on_parley_error}
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://parley") as client:
        yield Door(client, outside)
    await limiter.close()


async def sent(post: Post, key: str = "invite:1") -> None:
    await post.queue(key, TO)
    await post.delivery.drain_batch()


async def outcome(database: TestDatabase) -> Any:
    return (await rows(database))[-1]["outcome"]


async def test_a_worse_outcome_stays(post: Post, door: Door, database: TestDatabase):
    await sent(post)
    for kind, expected in (
        ("delivered", "delivered"), ("complained", "complained"), ("delivered", "complained"),
    ):  # fmt: skip
        assert await door.tell(kind) == 200
        assert await outcome(database) == expected


async def test_an_address_that_bounced_is_not_written_to(
    post: Post, door: Door, outside: Outside, database: TestDatabase
):
    await sent(post)
    assert await door.tell("bounced") == 200
    await sent(post, "invite:2")
    assert len(await outside.emails()) == 1
    held = (await rows(database))[-1]
    assert (held["state"], held["failure"]) == ("failed", "not sent: bounced before")
    blocks = MailBlocks(post.settings.secret_keys)
    async with post.db.system() as connection:
        assert await blocks.find(connection, [TO, "b@c.example"]) == {TO: BOUNCED}
        assert await blocks.unblock(connection, TO.upper())
    await sent(post, "invite:3")
    assert len(await outside.emails()) == 2


async def test_an_account_is_written_to_again_a_day_after_a_bounce(
    post: Post, outside: Outside, database: TestDatabase
):
    async with post.db.system() as connection:
        await MailBlocks(post.settings.secret_keys).block(connection, TO, BOUNCED)
    await sent(post)
    assert await outside.emails() == []
    await database.superuser.execute(
        "update mail_blocks set created_at = created_at - interval '25 hours'"
    )
    await sent(post, "invite:2")
    assert len(await outside.emails()) == 1


async def test_a_full_mailbox_is_tried_again(post: Post, door: Door, outside: Outside):
    await sent(post)
    assert await door.tell("bounced", bounce="Transient") == 200
    await sent(post, "invite:2")
    assert len(await outside.emails()) == 2


async def test_who_complained_gets_what_an_account_needs(
    post: Post, outside: Outside, database: TestDatabase
):
    async with post.db.system() as connection:
        await MailBlocks(post.settings.secret_keys).block(connection, TO, COMPLAINED)
    await sent(post)
    assert [mail["subject"] for mail in await outside.emails()] == [LETTER.subject]
    assert (await rows(database))[0]["tenant_id"] is None


async def test_only_what_resend_signed_counts(post: Post, door: Door, database: TestDatabase):
    await sent(post)
    other = "whsec_" + base64.b64encode(b"somebody else's secret!!").decode()
    assert await door.tell("bounced", secret=other) == 400
    assert await door.tell("bounced", age_s=600) == 400
    assert (await door.client.post(PATH, content=b"{}")).status_code == 400
    assert await outcome(database) is None


async def test_mails_of_others_are_ignored_and_ours_may_come_early(door: Door):
    body = {
        "type": "email.bounced",
        "created_at": "2026-01-01T00:00:00Z",
        "data": {"email_id": "not-ours", "to": [TO]},
    }
    assert await door.post(body) == 200
    just_now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert await door.post(body | {"created_at": just_now}) == 503
    assert await door.post({"type": "email.bounced"}) == 400
    assert await door.post(body | {"type": "contact.created"}) == 200


async def test_a_secret_that_is_none_signs_nothing(door: Door):
    body = b'{"type":"email.bounced"}'
    at_s = int(time.time())
    for secret in ("", "whsec_"):
        headers = {
            "svix-id": "m",
            "svix-timestamp": str(at_s),
            "svix-signature": sign(secret, "m", at_s, body),
        }
        assert (await door.client.post(PATH, content=body, headers=headers)).status_code == 400
