"""A query -> a page of results."""
