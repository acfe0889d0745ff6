"""Simulators, their graph observations and the Gymnasium adapter."""
