"""Profiles of GPUs and models."""
