"""Tables of knowledge: sources, their documents, passages and vectors, unanswered questions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.core.db.tables import Base, Stamped, TenantRow
from tenants.models import one_of


class Vector(UserDefinedType[Any]):
    """pgvector's ``vector``, of any width; statements cast ``real[]`` to it."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name."""
        return "vector"


ischema_names["vector"] = Vector


class KnowledgeSource(TenantRow, Stamped, Base):
    """A file, a page or a site that the owner named. Its state is that of its documents."""

    __tablename__ = "knowledge_sources"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("kind", ("file", "page", "site")), "kind"),
        CheckConstraint("(kind = 'file') = (url is null)", "url"),
        Index(
            "ix_knowledge_sources_due",
            "next_sync_at",
            postgresql_where=text("next_sync_at is not null"),
        ),
    )

    kind: Mapped[str]
    title: Mapped[str]
    url: Mapped[str | None]
    depth_max: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    pages_max: Mapped[int] = mapped_column(server_default="1")
    sync_every_h: Mapped[int | None]
    next_sync_at: Mapped[datetime | None]
    synced_at: Mapped[datetime | None]
    round: Mapped[int] = mapped_column(server_default="1")
    polite_until: Mapped[datetime] = mapped_column(server_default=text("now()"))
    created_by: Mapped[UUID | None]


class KnowledgeDocument(TenantRow, Stamped, Base):
    """One thing that is read as a whole: a file, a page, or a question with its answer.

    A site's documents are its frontier. A pair's document has the pair's id.
    """

    __tablename__ = "knowledge_documents"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "source_id"],
            ["knowledge_sources.tenant_id", "knowledge_sources.id"],
            name="fk_knowledge_documents_source_id",
            ondelete="CASCADE",
        ),
        CheckConstraint(one_of("kind", ("qa", "file", "page")), "kind"),
        CheckConstraint("(kind = 'qa') = (source_id is null)", "source"),
        CheckConstraint(one_of("state", ("queued", "reading", "ready", "failed")), "state"),
        UniqueConstraint("tenant_id", "source_id", "url", name="uq_knowledge_documents_url"),
        Index("ix_knowledge_documents_due", "due_at", postgresql_where=text("due_at is not null")),
    )

    source_id: Mapped[UUID | None]
    kind: Mapped[str]
    title: Mapped[str]
    url: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="queued")
    failure: Mapped[str | None]
    depth: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    round: Mapped[int] = mapped_column(server_default="1")
    version: Mapped[int] = mapped_column(server_default="1")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime | None] = mapped_column(server_default=text("now()"))
    language: Mapped[str | None]
    checksum: Mapped[str | None]
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    passages: Mapped[int] = mapped_column(server_default="0")
    read_at: Mapped[datetime | None]


class KnowledgeUpload(Stamped, Base):
    """A file as it was uploaded, until it has been read."""

    __tablename__ = "knowledge_uploads"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "document_id"],
            ["knowledge_documents.tenant_id", "knowledge_documents.id"],
            name="fk_knowledge_uploads_document_id",
            ondelete="CASCADE",
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    document_id: Mapped[UUID] = mapped_column(primary_key=True)
    filename: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)


class KnowledgeChunk(TenantRow, Stamped, Base):
    """A passage: some paragraphs or rows, with the title and headings they stand under."""

    __tablename__ = "knowledge_chunks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "document_id"],
            ["knowledge_documents.tenant_id", "knowledge_documents.id"],
            name="fk_knowledge_chunks_document_id",
            ondelete="CASCADE",
        ),
        UniqueConstraint("tenant_id", "document_id", "place", name="uq_knowledge_chunks_place"),
    )

    document_id: Mapped[UUID]
    place: Mapped[int]
    title: Mapped[str]
    heading: Mapped[str] = mapped_column(server_default="")
    body: Mapped[str]
    tokens: Mapped[int]
    search: Mapped[str] = mapped_column(TSVECTOR)


class KnowledgeVector(Base):
    """A passage's vector by one model; during a change of models a passage has two."""

    __tablename__ = "knowledge_vectors"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "chunk_id"],
            ["knowledge_chunks.tenant_id", "knowledge_chunks.id"],
            name="fk_knowledge_vectors_chunk_id",
            ondelete="CASCADE",
        ),
        Index(None, "tenant_id", "chunk_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    chunk_id: Mapped[UUID] = mapped_column(primary_key=True)
    dims: Mapped[int] = mapped_column(SmallInteger)
    in_graph: Mapped[bool] = mapped_column(server_default=text("false"))
    embedding: Mapped[Any] = mapped_column(Vector)


class KnowledgeGeneration(Base):
    """The model whose vectors a tenant's searches use, and what is to know for a search.

    ``languages`` are those of the documents, the most frequent first.
    """

    __tablename__ = "knowledge_generations"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    dims: Mapped[int] = mapped_column(SmallInteger)
    graph: Mapped[bool] = mapped_column(server_default=text("false"))
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    passages: Mapped[int] = mapped_column(server_default="0")
    ready_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class UnansweredQuestion(TenantRow, Stamped, Base):
    """Something customers asked that the knowledge had no answer to."""

    __tablename__ = "unanswered_questions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"],
            ["conversations.tenant_id", "conversations.id"],
            name="fk_unanswered_questions_conversation_id",
            ondelete="SET NULL (conversation_id)",
        ),
        UniqueConstraint("tenant_id", "normal", name="uq_unanswered_questions_normal"),
        CheckConstraint(one_of("state", ("open", "answered", "dismissed")), "state"),
        CheckConstraint(one_of("reason", ("missing_knowledge", "weak_match", "test")), "reason"),
        Index(None, "tenant_id", "state", "last_asked_at"),
        Index(None, "tenant_id", "conversation_id"),
    )

    question: Mapped[str]
    normal: Mapped[str]
    language: Mapped[str | None]
    reason: Mapped[str]
    conversation_id: Mapped[UUID | None]
    times: Mapped[int] = mapped_column(server_default="1")
    state: Mapped[str] = mapped_column(server_default="open")
    answer_id: Mapped[UUID | None]
    last_asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
