"""Machines with a small fast memory."""
