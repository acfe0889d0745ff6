"""Compiled functions: the decorator, the cache of their machine code, the clock's pause meanwhile."""
