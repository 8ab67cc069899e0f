"""The first schema: products, their photos and texts, encoders and vectors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("category", sa.String),
        sa.Column("brand", sa.String),
        sa.Column("price", sa.Float),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("row_hash", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    for column in ("category", "brand", "price"):
        op.create_index(f"ix_product_{column}", "product", [column])
    op.create_table(
        "image",
        sa.Column("id", sa.Integer, primary_key=True),
        _product_id(),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("file_hash", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("mtime_ns", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "text",
        sa.Column("id", sa.Integer, primary_key=True),
        _product_id(),
        sa.Column("field", sa.String, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    for table in ("image", "text"):
        for column in ("product_id", "content_hash"):
            op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_table(
        "encoder",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("fingerprint", sa.String, nullable=False, unique=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("dim", sa.Integer, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "vector",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "encoder_id",
            sa.Integer,
            sa.ForeignKey("encoder.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_vector_content", "vector", ["encoder_id", "content_hash"], unique=True)
    op.create_table(
        "state",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    for table in ("state", "vector", "encoder", "text", "image", "product"):
        op.drop_table(table)


def _product_id() -> sa.Column[int]:
    return sa.Column(
        "product_id",
        sa.Integer,
        sa.ForeignKey("product.id", ondelete="CASCADE"),
        nullable=False,
    )
