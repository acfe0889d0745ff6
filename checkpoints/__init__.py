"""Trained policies that travel with the package, as data."""
