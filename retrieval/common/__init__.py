"""What is small and shared: no model, no file of an index, no database."""
