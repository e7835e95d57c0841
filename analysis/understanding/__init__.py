"""What a trained classifier has learned, and whether that is what it was meant to learn."""
