"""What `scripts/campaign` does to the product, a part a module: each returns rows of figures."""
