"""A photo, from bytes to what a model is given."""
