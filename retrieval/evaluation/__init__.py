"""How well an index or a model finds things, measured as the field does it."""
