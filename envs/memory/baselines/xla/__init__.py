"""XLA's memory space assignment: its order, its intervals, its heap, and the file that replays it."""
