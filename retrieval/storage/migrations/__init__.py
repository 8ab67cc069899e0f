"""Alembic's migrations of `catalog.db`, run when it is opened."""
