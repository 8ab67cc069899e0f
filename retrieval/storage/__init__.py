"""Where a catalog, its vectors and its generations live."""
