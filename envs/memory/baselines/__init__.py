"""Solvers that don't learn at solve time."""
