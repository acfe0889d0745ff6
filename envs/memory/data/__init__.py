"""Data files of the memory domain."""
