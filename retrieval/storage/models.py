"""The tables of `catalog.db`, and of the snapshot of it that each generation carries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Primary keys count up and are never used again: a FAISS id names one row for ever.

    `checksum` is of a row's other columns, see `retrieval.storage.folder.checksums`; None until
    a row of an earlier version is first looked at. A snapshot has none: its file has one.
    """

    type_annotation_map = {dict[str, Any]: JSON}


class ProductRow(Base):
    """A product as its source describes it."""

    __tablename__ = "product"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(index=True)
    brand: Mapped[str | None] = mapped_column(index=True)
    price: Mapped[float | None] = mapped_column(index=True)
    attributes: Mapped[dict[str, Any]]
    row_hash: Mapped[str]
    checksum: Mapped[int | None] = mapped_column(BigInteger)


class Image(Base):
    """A photo of a product. `path` is relative to the folder of the index, with `/`."""

    __tablename__ = "image"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey("product.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    path: Mapped[str]
    content_hash: Mapped[str] = mapped_column(index=True)
    file_hash: Mapped[str]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    checksum: Mapped[int | None] = mapped_column(BigInteger)


class ProductText(Base):
    """A text of a product that is embedded.

    `field` is `title` or `description`, or `attributes` for what its short values make.
    """

    __tablename__ = "text"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey("product.id", ondelete="CASCADE"), index=True
    )
    field: Mapped[str]
    content: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(index=True)
    checksum: Mapped[int | None] = mapped_column(BigInteger)


class EncoderRow(Base):
    """An encoder that vectors were made with; `active` marks the one that is published."""

    __tablename__ = "encoder"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    dim: Mapped[int]
    details: Mapped[dict[str, Any]]
    active: Mapped[bool]


class AdapterRow(Base):
    """A map on top of an encoder's vectors, as `retrieval.encoders.adapter` writes it."""

    __tablename__ = "adapter"

    id: Mapped[int] = mapped_column(primary_key=True)
    encoder_id: Mapped[int] = mapped_column(
        ForeignKey("encoder.id", ondelete="CASCADE"), unique=True
    )
    data: Mapped[bytes] = mapped_column(LargeBinary)
    details: Mapped[dict[str, Any]]


class Vector(Base):
    """An embedding: float16 little-endian, `dim` values, under what was seen and who saw it."""

    __tablename__ = "vector"
    __table_args__ = (Index("ix_vector_content", "encoder_id", "content_hash", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoder.id", ondelete="CASCADE"))
    content_hash: Mapped[str]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int | None] = mapped_column(BigInteger)


class Removal(Base):
    """A product that was removed by its id, and the hash of the row that described it."""

    __tablename__ = "removal"

    key: Mapped[str] = mapped_column(primary_key=True)
    row_hash: Mapped[str]


class State(Base):
    """Facts about the catalog as a whole; `revision` counts the changes to it."""

    __tablename__ = "state"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]
