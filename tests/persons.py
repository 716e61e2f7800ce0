"""Somebody signed in, for services that are asked without pages."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app.core.ids import uuid7
from tenants.access import Role
from tenants.login_sessions import SignedIn


def person_of(tenant_id: UUID, role: Role = Role.OWNER, **changes: Any) -> SignedIn:
    """A person of a business with a second factor, confirmed a moment ago."""
    person = SignedIn(
        session_id=uuid7(),
        user_id=uuid7(),
        email="ada@example.org",
        name="Ada",
        locale="en",
        admin=False,
        must_enrol=False,
        awaiting_factor=False,
        second_factor=True,
        confirmed_recently=True,
        tenant_id=tenant_id,
        tenant_name="Harbour Bakery",
        tenant_slug="bakery",
        tenant_status="active",
        role=role,
        impersonation_until=None,
    )
    return replace(person, **changes)
