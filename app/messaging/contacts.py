"""Who wrote: a contact has many addresses (phone, hidden number), merged when they meet.

New addresses of a tenant are made under an advisory lock of that tenant, so that two workers
that meet the same stranger make one contact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.config import Timings
from app.core.db.rows import as_rows
from app.messaging.contact_merge import merge
from billing.ledger.schemas import CloseRequest

Known = dict[tuple[UUID, str], UUID]

_FIND = text(
    """
    select a.tenant_id, a.address, a.contact_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, address text)
    join contact_addresses a on a.tenant_id = r.tenant_id and a.address = r.address
    """
)
_LOCK = text(
    """
    select pg_advisory_xact_lock(1885434732, hashtext(tenant)) from (
        select tenant from unnest(cast(:tenants as text[])) as t(tenant) order by tenant
    ) ordered
    """
)
_INSERT_CONTACTS = text(
    """
    insert into contacts (tenant_id, id, push_name)
    select tenant_id, id, push_name from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, push_name text)
    """
)
_INSERT_ADDRESSES = text(
    """
    insert into contact_addresses (tenant_id, id, contact_id, kind, address)
    select tenant_id, id, contact_id, kind, address
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, contact_id uuid, kind text, address text)
    on conflict (tenant_id, address) do nothing
    """
)
_RENAME = text(
    """
    update contacts c set push_name = r.push_name
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, id uuid, push_name text)
    where c.tenant_id = r.tenant_id and c.id = r.id
      and c.push_name is distinct from r.push_name
    """
)
# "Unknown" is a normal answer of WAHA's, and not for ever.
_ASK_AGAIN = text(
    """
    update contact_addresses a set checked_at = null
    from conversations v
    where v.state <> 'resolved' and v.last_message_at > now() - interval '1 day'
      and a.tenant_id = v.tenant_id and a.contact_id = v.contact_id and a.kind = 'lid'
      and a.checked_at < least(v.last_message_at, now() - interval '10 minutes')
      and not exists (select 1 from contact_addresses p where p.tenant_id = a.tenant_id
                        and p.contact_id = a.contact_id and p.kind = 'phone')
    """
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An address seen on a message, with the person's other address when it is known."""

    tenant_id: UUID
    address: str
    alternate: str | None
    push_name: str | None

    def addresses(self) -> tuple[str, ...]:
        """Return the one or two addresses of this person."""
        return (self.address,) if self.alternate is None else (self.address, self.alternate)


async def resolve(
    connection: AsyncConnection, sightings: Sequence[Sighting], timings: Timings
) -> tuple[Known, list[CloseRequest]]:
    """Return the contact of each (tenant, address); strangers become contacts.

    With it come the holds to be released at the end of the transaction, where two contacts
    turned out to be one (``contact_merge.merge``).
    """
    known = await _find(connection, sightings)
    if missing := _missing(sightings, known):
        tenants = sorted({str(s.tenant_id) for s in missing})
        await connection.execute(_LOCK, {"tenants": tenants})
        known = await _find(connection, sightings)
        await _make(connection, _missing(sightings, known), known)
    await _rename(connection, sightings, known)
    freed: list[CloseRequest] = []
    for sighting in sightings:
        freed += await _merge_when_two(connection, sighting, known, timings)
    return known, freed


async def _find(connection: AsyncConnection, sightings: Iterable[Sighting]) -> Known:
    wanted = {(s.tenant_id, a) for s in sightings for a in s.addresses()}
    rows = as_rows({"tenant_id": t, "address": a} for t, a in wanted)
    found = await connection.execute(_FIND, {"rows": rows})
    return {(row.tenant_id, row.address): row.contact_id for row in found}


def _missing(sightings: Iterable[Sighting], known: Known) -> list[Sighting]:
    return [s for s in sightings if any((s.tenant_id, a) not in known for a in s.addresses())]


async def _make(connection: AsyncConnection, missing: Sequence[Sighting], known: Known) -> None:
    contacts: list[Mapping[str, Any]] = []
    addresses: list[Mapping[str, Any]] = []
    for sighting in missing:
        tenant_id = sighting.tenant_id
        contact_id = next(
            (known[tenant_id, a] for a in sighting.addresses() if (tenant_id, a) in known), None
        )
        if contact_id is None:
            contact_id = ids.uuid7()
            contacts.append(
                {"tenant_id": tenant_id, "id": contact_id, "push_name": sighting.push_name}
            )
        for address in sighting.addresses():
            if (tenant_id, address) not in known:
                known[tenant_id, address] = contact_id
                addresses.append(
                    {
                        "tenant_id": tenant_id,
                        "id": ids.uuid7(),
                        "contact_id": contact_id,
                        "kind": "lid" if address.endswith("@lid") else "phone",
                        "address": address,
                    }
                )
    if contacts:
        await connection.execute(_INSERT_CONTACTS, {"rows": as_rows(contacts)})
    if addresses:
        await connection.execute(_INSERT_ADDRESSES, {"rows": as_rows(addresses)})


async def _rename(connection: AsyncConnection, sightings: Sequence[Sighting], known: Known) -> None:
    names = {known[s.tenant_id, s.address]: s for s in sightings if s.push_name}
    if names:
        rows = as_rows(
            {"tenant_id": s.tenant_id, "id": contact, "push_name": s.push_name}
            for contact, s in sorted(names.items())
        )
        await connection.execute(_RENAME, {"rows": rows})


async def _merge_when_two(
    connection: AsyncConnection, sighting: Sighting, known: Known, timings: Timings
) -> list[CloseRequest]:
    """Make one contact of two, once a message shows that both addresses are one person."""
    if sighting.alternate is None:
        return []
    tenant_id = sighting.tenant_id
    first, second = known[tenant_id, sighting.address], known[tenant_id, sighting.alternate]
    if first == second:
        return []
    kept, gone = min(first, second), max(first, second)  # the older one stays (UUIDv7)
    freed = await merge(connection, tenant_id, kept=kept, gone=gone, timings=timings)
    for key, contact in list(known.items()):
        if key[0] == tenant_id and contact == gone:
            known[key] = kept
    return freed


async def ask_again(connection: AsyncConnection) -> int:
    """Have phones asked for again that WAHA did not know yet, of those who write on."""
    return (await connection.execute(_ASK_AGAIN)).rowcount
