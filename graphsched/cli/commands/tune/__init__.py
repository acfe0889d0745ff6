"""``graphsched tune``."""
