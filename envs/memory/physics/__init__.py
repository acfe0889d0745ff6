"""Physics: storages in a fast memory, and what they do to a program's latency."""
