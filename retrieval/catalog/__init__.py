"""SQLite through SQLAlchemy: what the products are, and the vectors of their photos and texts."""
