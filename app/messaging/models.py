"""Tables of the message path: from the raw event to the parts of a reply."""

from datetime import date, datetime
from enum import StrEnum
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

from app.core.db.tables import Base, Micro, Stamped, TenantRow
from app.messaging.states import (
    LEASED_TURN_STATES,
    LIVE_TURN_STATES,
    Author,
    ConversationState,
    Disposition,
    HandoverReason,
    Notice,
    PartState,
    TurnState,
)
from tenants.models import one_of


def _words(kind: type[StrEnum]) -> tuple[str, ...]:
    return tuple(member.value for member in kind)


def _states(states: tuple[TurnState, ...]) -> str:
    return one_of("state", tuple(s.value for s in states))


class InboxKey(Base):
    """That an event arrived, once: the permanent replay protection and the work list.

    Unpartitioned, so that a retry after midnight still meets its key; pruned after 14 days.
    ``key`` is the first 16 bytes of a SHA-256 over (event, body id), or over the body.
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
        CheckConstraint(one_of("state", _words(ConversationState)), "state"),
        CheckConstraint(one_of("handover_reason", _words(HandoverReason)), "handover_reason"),
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
        CheckConstraint(one_of("author", _words(Author)), "author"),
        CheckConstraint(one_of("disposition", _words(Disposition)), "disposition"),
        CheckConstraint(one_of("notice", _words(Notice)), "notice"),
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
        CheckConstraint(one_of("state", _words(TurnState)), "state"),
        Index(
            "uq_turns_live",
            "tenant_id",
            "conversation_id",
            unique=True,
            postgresql_where=text(_states(LIVE_TURN_STATES)),
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
            postgresql_where=text(_states(LEASED_TURN_STATES)),
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


class Send(TenantRow, Stamped, Base):
    """A reply on its way out: one or more parts to one address."""

    __tablename__ = "sends"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        CheckConstraint(one_of("author", _words(Author)), "author"),
        UniqueConstraint("tenant_id", "turn_id"),
    )

    conversation_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    turn_id: Mapped[UUID | None]
    author: Mapped[str]
    address: Mapped[str]
    hold_id: Mapped[UUID | None]
    price_ucr: Mapped[Micro] = mapped_column(server_default="0")
    request_id: Mapped[str | None]


class SendPart(TenantRow, Stamped, Base):
    """One bubble: its client-chosen id, its state, and what WAHA said."""

    __tablename__ = "send_parts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "send_id"], ["sends.tenant_id", "sends.id"]),
        UniqueConstraint("tenant_id", "send_id", "part_no"),
        UniqueConstraint("client_message_id"),
        CheckConstraint(one_of("state", _words(PartState)), "state"),
        Index(
            "ix_send_parts_open",
            "tenant_id",
            "started_at",
            postgresql_where=text(one_of("state", ("queued", "sending", "unknown"))),
        ),
        Index(None, "tenant_id", "channel_id", "wa_id"),
        Index(None, "tenant_id", "message_id"),
    )

    send_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    message_id: Mapped[UUID]
    part_no: Mapped[int] = mapped_column(SmallInteger)
    client_message_id: Mapped[str]
    idempotent: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_attempt_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    acked_at: Mapped[datetime | None]
    wa_id: Mapped[str | None]
    ack: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    resolved_by: Mapped[str | None]
    checks: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    checked_at: Mapped[datetime | None]
    error: Mapped[str | None]


class SendAttempt(TenantRow, Base):
    """One call to the provider, recorded before it is made."""

    __tablename__ = "send_attempts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "part_id"], ["send_parts.tenant_id", "send_parts.id"]),
        UniqueConstraint("tenant_id", "part_id", "attempt_no"),
    )

    part_id: Mapped[UUID]
    attempt_no: Mapped[int] = mapped_column(SmallInteger)
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    status_code: Mapped[int | None] = mapped_column(SmallInteger)


class TenantQueue(Base):
    """A tenant's place in the fair order of claims; one narrow row a tenant."""

    __tablename__ = "tenant_queues"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    served_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    blocked_until: Mapped[datetime | None]
