"""Tables of files: those of messages, and those whose rows are gone."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow
from tenants.models import one_of

KINDS = ("image", "video", "audio", "document", "sticker")


class MediaState(StrEnum):
    """Where a file stands.

    ``wanted`` is to be fetched and ``stored`` to be read; the others are ends: ``ready`` is
    here (read, where that was wanted and possible), ``failed`` could not be had, ``too_big``
    and ``refused`` were not taken.
    """

    WANTED = "wanted"
    STORED = "stored"
    READY = "ready"
    FAILED = "failed"
    TOO_BIG = "too_big"
    REFUSED = "refused"


class MessageMedia(TenantRow, Stamped, Base):
    """A file that came or goes with a message. Its bytes lie in the store under its id.

    ``reading`` is what it says: a voice note's words, a picture in words, a document's first
    pages. ``audio_ms``, ``pages`` and the tokens are what reading it took, as prices count it;
    ``due_at`` is when a worker may (again) take it up.
    """

    __tablename__ = "message_media"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "message_id"], ["messages.tenant_id", "messages.id"], ondelete="CASCADE"
        ),
        CheckConstraint(one_of("kind", KINDS), "kind"),
        CheckConstraint(one_of("state", MediaState), "state"),
        Index(
            "uq_message_media_message",
            "tenant_id",
            "message_id",
            unique=True,
            postgresql_where=text("message_id is not null"),
        ),
        Index(
            "ix_message_media_due",
            "due_at",
            postgresql_where=text(one_of("state", ("wanted", "stored"))),
        ),
        Index(
            "ix_message_media_loose",
            "created_at",
            postgresql_where=text("message_id is null"),
        ),
    )

    message_id: Mapped[UUID | None]
    channel_id: Mapped[UUID | None]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="wanted")
    to_read: Mapped[bool] = mapped_column(server_default=text("false"))
    url: Mapped[str | None]
    name: Mapped[str | None]
    claimed_type: Mapped[str | None]
    content_type: Mapped[str | None]
    size_bytes: Mapped[int | None]
    sha256: Mapped[bytes | None]
    duration_ms: Mapped[int | None]
    reading: Mapped[str | None]
    audio_ms: Mapped[int] = mapped_column(server_default="0")
    pages: Mapped[int] = mapped_column(server_default="0")
    model: Mapped[str | None]
    input_tokens: Mapped[int] = mapped_column(server_default="0")
    output_tokens: Mapped[int] = mapped_column(server_default="0")
    reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]


class MediaGarbage(TenantRow, Stamped, Base):
    """A file whose row was deleted: the store has to forget it too."""

    __tablename__ = "media_garbage"
    __table_args__ = (Index(None, "created_at"),)
