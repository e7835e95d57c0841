"""One family a file: its class, its blocks, and its variants as plain data."""
