"""A run: its parts, its callbacks, checkpoints, and what it leaves behind."""
