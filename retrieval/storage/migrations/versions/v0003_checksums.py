"""Checksums of vectors, products, photos and texts; rows of before get theirs when next written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("vector", "product", "image", "text")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("checksum", sa.BigInteger))
        # Empty once all have one: whether any lacks it is told without reading the table.
        op.create_index(
            f"ix_{table}_unchecked", table, ["id"], sqlite_where=sa.text("checksum IS NULL")
        )


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"ix_{table}_unchecked", table)
        op.drop_column(table, "checksum")
