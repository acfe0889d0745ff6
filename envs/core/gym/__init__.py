"""Gymnasium and Stable-Baselines3 environments of any domain, out of its simulator."""
