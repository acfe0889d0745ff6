"""Weights of the linear rules."""
