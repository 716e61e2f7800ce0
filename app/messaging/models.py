"""Tables of the message path: from the raw event to the turn that answers it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow
from app.messaging.states import (
    LEASED_TURN_STATES,
    LEFT_TO_PEOPLE,
    LIVE_TURN_STATES,
    Author,
    ConversationState,
    Disposition,
    HandoverReason,
    Notice,
    TurnState,
)
from tenants.models import one_of


class InboxKey(Base):
    """That an event arrived, once: the permanent replay protection and the work list.

    Unpartitioned, so that a retry after midnight still meets its key; pruned after 14 days.
    ``key`` is the first 16 bytes of a SHA-256 over (event, body id), or over the body. A second
    key, with the outcome ``overtook``, leads to a change that came before its message.
    """

    __tablename__ = "inbox_keys"
    __table_args__ = (
        Index(
            "ix_inbox_keys_pending",
            "received_at",
            postgresql_where=text("pending"),
        ),
        Index(
            "ix_inbox_keys_failed",
            "received_at",
            postgresql_where=text("outcome = 'failed'"),
        ),
        Index(None, "event_day"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    event_day: Mapped[date] = mapped_column(Date)
    inbox_id: Mapped[UUID]
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    pending: Mapped[bool] = mapped_column(server_default=text("true"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    outcome: Mapped[str | None]


class InboxEvent(Base):
    """The raw body of an event, as signed; partitioned by the day it was received (UTC)."""

    __tablename__ = "inbox"
    __table_args__ = {"postgresql_partition_by": "RANGE (received_day)"}  # noqa: RUF012

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    received_day: Mapped[date] = mapped_column(Date, primary_key=True)
    channel_id: Mapped[UUID]
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    event: Mapped[str]
    body: Mapped[bytes]
    request_id: Mapped[str]


class Contact(TenantRow, Stamped, Base):
    """A customer of a tenant; has one or more addresses."""

    __tablename__ = "contacts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "campaign_id"], ["channel_campaigns.tenant_id", "channel_campaigns.id"]
        ),
        Index(
            "ix_contacts_blocked",
            "tenant_id",
            "id",
            postgresql_where=text("blocked_at is not null"),
        ),
        Index(
            "ix_contacts_opted_out",
            "tenant_id",
            "id",
            postgresql_where=text("opted_out_at is not null"),
        ),
        Index(
            "ix_contacts_words",
            text("contact_words(tenant_id, name, push_name)"),
            postgresql_using="gin",
        ),
    )

    name: Mapped[str | None]
    push_name: Mapped[str | None]
    opted_out_at: Mapped[datetime | None]
    blocked_at: Mapped[datetime | None]
    merged_into: Mapped[UUID | None]
    campaign_id: Mapped[UUID | None]
    erased_at: Mapped[datetime | None]
    notes: Mapped[str | None]
    imported_at: Mapped[datetime | None]


class ContactAddress(TenantRow, Stamped, Base):
    """A WhatsApp address of a contact: ``<phone>@c.us`` or ``<n>@lid``."""

    __tablename__ = "contact_addresses"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
        UniqueConstraint("tenant_id", "address"),
        CheckConstraint(one_of("kind", ("phone", "lid")), "kind"),
        Index(None, "tenant_id", "contact_id"),
        Index(
            "ix_contact_addresses_unchecked",
            "tenant_id",
            "created_at",
            postgresql_where=text("kind = 'lid' and checked_at is null"),
        ),
        Index(
            "ix_contact_addresses_digits",
            "tenant_id",
            text("reverse(split_part(address, '@', 1))"),
            postgresql_where=text("kind = 'phone'"),
        ),
    )

    contact_id: Mapped[UUID]
    kind: Mapped[str]
    address: Mapped[str]
    checked_at: Mapped[datetime | None]


class Conversation(TenantRow, Stamped, Base):
    """A thread with a contact on a channel, until it is resolved."""

    __tablename__ = "conversations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "channel_id"], ["channels.tenant_id", "channels.id"]),
        ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
        CheckConstraint(one_of("state", ConversationState), "state"),
        CheckConstraint(one_of("handover_reason", HandoverReason), "handover_reason"),
        Index(
            "uq_conversations_open",
            "tenant_id",
            "channel_id",
            "contact_id",
            unique=True,
            postgresql_where=text("state <> 'resolved'"),
        ),
        Index(None, "tenant_id", "state", "last_message_at"),
        Index(None, "tenant_id", "last_message_at", "id"),
        Index(None, "tenant_id", "contact_id", "last_message_at"),
        Index(
            "ix_conversations_summaries",
            "tenant_id",
            "last_message_at",
            postgresql_where=text("handover_summary is not null"),
        ),
        Index(
            "ix_conversations_timed",
            "tenant_id",
            "human_until",
            "snoozed_until",
            "paused_until",
            postgresql_where=text(
                "state <> 'resolved' and (human_until is not null or snoozed_until is not null"
                " or paused_until is not null)"
            ),
        ),
        Index(
            "ix_conversations_notify",
            "tenant_id",
            "notify_at",
            postgresql_where=text("notify_at is not null"),
        ),
        Index(
            "ix_conversations_assignee",
            "tenant_id",
            "assignee_id",
            "state",
            "last_message_at",
            postgresql_where=text("assignee_id is not null"),
        ),
    )

    channel_id: Mapped[UUID]
    contact_id: Mapped[UUID]
    assignee_id: Mapped[UUID | None]
    state: Mapped[str] = mapped_column(server_default="pending")
    address: Mapped[str]
    human_until: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    notify_at: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    closed_told_until: Mapped[datetime | None]
    handover_reason: Mapped[str | None]
    handover_summary: Mapped[str | None]
    typing_until: Mapped[datetime | None]
    last_message_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    resolved_at: Mapped[datetime | None]


class Message(TenantRow, Base):
    """One message of a conversation, in either direction."""

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        UniqueConstraint("tenant_id", "channel_id", "wa_id", "direction"),
        CheckConstraint(one_of("direction", ("in", "out")), "direction"),
        CheckConstraint(one_of("author", Author), "author"),
        CheckConstraint(one_of("disposition", Disposition), "disposition"),
        CheckConstraint(one_of("notice", Notice), "notice"),
        Index(None, "tenant_id", "conversation_id", "sent_at", "id"),
        Index(
            "ix_messages_open",
            "tenant_id",
            "conversation_id",
            postgresql_where=text("direction = 'in' and disposition is null"),
        ),
        Index(None, "tenant_id", "turn_id"),
        Index(None, "tenant_id", "sent_at"),
        Index(
            "ix_messages_left",
            "tenant_id",
            "sent_at",
            postgresql_include=["conversation_id"],
            postgresql_where=text(f"direction = 'in' and {one_of('disposition', LEFT_TO_PEOPLE)}"),
        ),
        Index(
            "ix_messages_words",
            text("search_words(tenant_id, body)"),
            postgresql_using="gin",
            postgresql_where=text("body is not null"),
        ),
    )

    conversation_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    direction: Mapped[str]
    author: Mapped[str]
    wa_id: Mapped[str | None]
    kind: Mapped[str]
    body: Mapped[str | None]
    media: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reply_to: Mapped[str | None]
    sent_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    edited_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    turn_id: Mapped[UUID | None]
    disposition: Mapped[str | None]
    disposition_at: Mapped[datetime | None]
    notice: Mapped[str | None]
    request_id: Mapped[str | None]


class Turn(TenantRow, Stamped, Base):
    """One answer in the making: a batch of messages, a lease, a hold, a reply."""

    __tablename__ = "turns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        CheckConstraint(one_of("state", TurnState), "state"),
        Index(
            "uq_turns_live",
            "tenant_id",
            "conversation_id",
            unique=True,
            postgresql_where=text(one_of("state", LIVE_TURN_STATES)),
        ),
        Index(
            "ix_turns_waiting",
            "tenant_id",
            "due_at",
            postgresql_where=text(one_of("state", ("waiting", "due"))),
        ),
        Index(
            "ix_turns_leased",
            "tenant_id",
            "lease_until",
            postgresql_where=text(one_of("state", LEASED_TURN_STATES)),
        ),
        Index("ix_turns_failed", "finished_at", postgresql_where=text("state = 'failed'")),
        Index(
            "ix_turns_results",
            "tenant_id",
            "finished_at",
            postgresql_where=text("result is not null"),
        ),
    )

    conversation_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(server_default="waiting")
    first_at: Mapped[datetime]
    due_at: Mapped[datetime]
    message_count: Mapped[int] = mapped_column(server_default="1")
    supersedes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    failing_since: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    lease_epoch: Mapped[int] = mapped_column(server_default="0")
    hold_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    model: Mapped[str | None]
    prompt_version: Mapped[str | None]
    media_until: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    generated_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TenantQueue(Base):
    """A tenant's place in the fair order of claims; one narrow row a tenant."""

    __tablename__ = "tenant_queues"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    served_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    blocked_until: Mapped[datetime | None]
