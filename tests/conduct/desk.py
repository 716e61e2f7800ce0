"""People at a business's desk: one colleague, its conversation, its hours."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.ids import uuid7
from app.messaging import ownership
from tests.engine.bench import Bench, Business

PHONE = "15550100"
CHAT = f"{PHONE}@c.us"
ALL_DAY = {str(day): [[0, 1440]] for day in range(7)}
NEVER: dict[str, Any] = {}


@dataclass
class Desk:
    bench: Bench
    shop: Business
    person: UUID

    async def conversation(self) -> UUID:
        found: list[UUID] = await self.bench.column(
            "select id from conversations where tenant_id = :t order by created_at desc, id desc",
            t=self.shop.tenant_id,
        )
        return found[0]

    async def act(self, deed: Callable[..., Awaitable[None]], **more: Any) -> None:
        """Do something of ``ownership`` in the newest conversation, as the person."""
        conversation_id = await self.conversation()
        async with self.bench.database.db.tenant(self.shop.tenant_id) as connection:
            await deed(connection, self.shop.tenant_id, conversation_id, self.person, **more)

    async def take_over(self, for_s: int | None = None) -> None:
        await self.act(ownership.take_over, for_s=for_s)

    async def give_back(self) -> None:
        await self.act(ownership.give_back)

    async def row(self, columns: str) -> tuple[Any, ...]:
        (found,) = await self.bench.rows(
            f"select {columns} from conversations where id = :id", id=await self.conversation()
        )
        return tuple(found)

    async def writes(self, *texts: str) -> None:
        await self.bench.write(self.shop, PHONE, *texts)

    async def settle(self) -> list[str]:
        """Let turns become due and run; return what the phone shows."""
        await self.bench.age(9)
        await self.bench.work()
        return [shown.text for shown in self.bench.sender.phone if shown.chat == CHAT]

    async def conduct(self, **columns: Any) -> None:
        """Set hours and manners; ``zone`` is the business's time zone."""
        zone = columns.pop("zone", None)
        if zone:
            await self.bench.execute(
                "update tenants set time_zone = :z where id = :t", z=zone, t=self.shop.tenant_id
            )
        values = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in columns.items()}
        names = ", ".join(values)
        places = ", ".join(
            f"cast(:{k} as jsonb)" if k in {"week", "special_days"} else f":{k}" for k in values
        )
        await self.bench.execute(
            f"insert into tenant_conduct (tenant_id, {names}) values (:t, {places})"
            f" on conflict (tenant_id) do update set ({names}) = row({places})",
            t=self.shop.tenant_id,
            **values,
        )


async def open_desk(bench: Bench, **terms: Any) -> Desk:
    """A business with one colleague."""
    shop = await bench.business(**terms)
    person = uuid7()
    await bench.execute(
        "insert into users (id, email, name, email_verified_at) values (:id, :email, 'Ana', now())",
        id=person,
        email=f"ana-{person.hex}@example.org",
    )
    await bench.execute(
        "insert into memberships (tenant_id, user_id, role) values (:t, :id, 'agent')",
        t=shop.tenant_id,
        id=person,
    )
    return Desk(bench, shop, person)
