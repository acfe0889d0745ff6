"""Baselines of the domain: list scheduling, search, exact and run-time rules."""
