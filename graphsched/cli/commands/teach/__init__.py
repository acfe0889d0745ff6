"""``graphsched teach``."""
