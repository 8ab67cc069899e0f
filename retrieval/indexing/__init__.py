"""Sources -> a published generation."""
