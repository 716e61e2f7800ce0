"""The customer proves that they have their phone: a code to it, and the code back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.assistant.tools.port import ToolContext, ToolResult, refused
from app.core.db.engine import Database
from app.core.errors import ExpectedError, NotFoundError, RefusedError, TooManyAttemptsError
from app.llm.port import ToolSpec
from app.messaging import contact_facts
from tenants.phone_codes import PhoneCodes
from tenants.service import Actor

PURPOSE = "customer"
_PHONE = text(
    """
    select split_part(address, '@', 1) from contact_addresses
    where tenant_id = :tenant_id and contact_id = :contact_id and kind = 'phone'
    order by created_at limit 1
    """
)


@dataclass(frozen=True, slots=True)
class VerifyCustomer:
    """Sends a code to the phone of this conversation's customer, and checks what comes back."""

    database: Database
    codes: PhoneCodes
    trusted_host: str | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        code = {"type": ["string", "null"], "pattern": "^[0-9 ]{6,9}$", "maxLength": 9}
        return ToolSpec(
            "verify_customer",
            "Needed before personal matters. Without a code it sends one to the customer's own"
            " phone; ask them to type it here and call again with what they typed.",
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {"code": code},
                "required": ["code"],
            },
        )

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Send or check; the phone is always the contact's own."""
        del known
        if context.rehearsal:
            return ToolResult("ok", "Not sent: this is a rehearsal.")
        key = {"tenant_id": context.tenant_id, "contact_id": context.contact_id}
        async with self.database.tenant(context.tenant_id) as connection:
            phone = await connection.scalar(_PHONE, key)
        if not phone:
            return refused("The phone of this customer is not known. Hand over to a person.")
        code = re.sub(r"\s", "", arguments["code"] or "")
        try:
            if not code:
                await self.codes.send(
                    context.tenant_id,
                    context.channel_id,
                    phone,
                    purpose=PURPOSE,
                    business=context.business,
                )
                return ToolResult("ok", "A code was sent to the customer's phone. Ask for it.")
            if code not in re.sub(r"\s", "", context.said):
                return refused("The customer has not typed this code.")
            await self.codes.check(
                context.tenant_id, phone, code, purpose=PURPOSE, actor=Actor("system", "assistant")
            )
        except (RefusedError, NotFoundError, TooManyAttemptsError, ExpectedError) as error:
            return refused(str(error))
        async with self.database.tenant(context.tenant_id) as connection:
            await contact_facts.mark_verified(connection, context.tenant_id, context.contact_id)
        return ToolResult("ok", "The customer is verified.")
