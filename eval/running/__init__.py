"""Solving and checking every instance with every contender, row by row."""
