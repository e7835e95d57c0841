"""Training: data, loops and checkpoints for any model of the zoo."""
