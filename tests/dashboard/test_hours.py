"""The page of hours and manners: what it shows, what it keeps, what it refuses."""

import pytest

from tests.dashboard.browsing import Browsing
from tests.worlds import World

pytestmark = pytest.mark.anyio
HERE = "/assistant/hours"
WAITS = {"mode": "always", "idle_s": "8", "cap_s": "45"}
SAVED = (
    "select k.mode, k.week, k.special_days, k.closed_text, k.bubbles, t.handover_text, t.idle_s"
    " from tenant_conduct k join tenants t on t.id = k.tenant_id where t.id = $1"
)


async def test_hours_are_kept_and_audited(owner: Browsing, world: World):
    fields = {
        **WAITS,
        "mode": "only_open",
        "idle_s": "12",
        "open-0-0": "09:00", "close-0-0": "13:00",
        "open-0-1": "15:00", "close-0-1": "19:00",
        "open-5-0": "18:00", "close-5-0": "02:00",
        "special-day-0": "2099-12-25", "special-name-0": "Christmas",
        "closed_text": "We are closed.",
        "handover_text": "One of us will write.",
        "bubbles": "yes",
    }  # fmt: skip
    answer = await owner.send(HERE, HERE, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, HERE)
    entry = await world.one(
        "select tenant_id, after from audit_log where action = 'assistant.hours'"
    )
    assert '"idle_s": 12' in entry["after"]
    tenant_id = entry["tenant_id"]
    row = await world.one(SAVED, tenant_id)
    assert row == {
        "mode": "only_open",
        "week": '{"0": [[540, 780], [900, 1140]], "5": [[1080, 1560]]}',
        "special_days": '[{"day": "2099-12-25", "name": "Christmas", "intervals": []}]',
        "closed_text": "We are closed.",
        "bubbles": True,
        "handover_text": "One of us will write.",
        "idle_s": 12,
    }
    shown = (await owner.get(HERE)).text
    for value in (
        'value="02:00"',
        'value="2099-12-25"',
        "We are closed.",
        "Your changes are saved",
    ):
        assert value in shown
    await owner.send(HERE, HERE, **WAITS)
    assert (await world.one(SAVED, tenant_id))["week"] == "{}"


REFUSED = (
    ({"mode": "only_open"}, "Give your opening hours first"),
    ({"open-0-0": "09:00"}, "needs both"),
    ({"open-0-0": "9 Uhr", "close-0-0": "10:00"}, "such as 09:00"),
    (
        {"open-0-0": "09:00", "close-0-0": "12:00", "open-0-1": "11:00", "close-0-1": "13:00"},
        "overlap",
    ),
    ({"special-day-0": "Christmas"}, "as dates"),
    ({"idle_s": "61"}, "up to 60 seconds"),
    ({"idle_s": "20", "cap_s": "10"}, "shorter than the pause"),
)


async def test_what_cannot_be_is_told_and_nothing_typed_is_lost(owner: Browsing):
    token = await owner.token(HERE)
    for fields, words in REFUSED:
        typed = {**WAITS, "csrf_token": token, "closed_text": "Half a sentence", **fields}
        answer = await owner.http.post(HERE, data=typed)
        assert (answer.status_code, words in answer.text) == (400, True), words
        assert "Half a sentence" in answer.text
