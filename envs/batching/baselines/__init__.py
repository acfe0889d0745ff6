"""Schedulers and routers that need no learning."""
