"""Model families, one in each file: class, blocks, and variants as plain data."""
