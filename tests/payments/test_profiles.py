"""What a business says of itself for its bills."""

import pytest

from app.core.errors import NotFoundError, RefusedError
from app.core.ids import uuid7
from billing.payments.profiles import Profile, profile_of, save_profile
from tests.payments.conftest import OWNER, Till

pytestmark = pytest.mark.anyio


async def test_a_profile_is_saved_by_the_business_itself(till: Till):
    profile = Profile(
        billing_email="bills@bakery.example",
        legal_name="Harbour Bakery GmbH",
        address="Am Hafen 1, 20457 Hamburg",
        country="DE",
        tax_id="DE123456789",
    )
    async with till.db.tenant(till.tenant_id) as connection:
        await save_profile(connection, till.tenant_id, profile, OWNER)
        assert await profile_of(connection, till.tenant_id) == profile
        with pytest.raises(NotFoundError):
            await profile_of(connection, uuid7())
    entry = await till.world.one(
        "select after::text from audit_log where tenant_id = $1"
        " and action = 'billing_profile.change'",
        till.tenant_id,
    )
    assert "legal_name" in entry["after"]
    assert "Hamburg" not in entry["after"]


@pytest.mark.parametrize(
    "profile",
    [Profile(billing_email="none"), Profile(country="de"), Profile(legal_name="x" * 501)],
)
async def test_profiles_that_cannot_be(till: Till, profile: Profile):
    async with till.db.tenant(till.tenant_id) as connection:
        with pytest.raises(RefusedError):
            await save_profile(connection, till.tenant_id, profile, OWNER)
