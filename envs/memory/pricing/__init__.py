"""Prices of fast memory by Lagrangian relaxation, and what follows from them."""
