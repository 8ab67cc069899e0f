"""The engine in a folder: SQLite, FAISS, numbered generations."""
