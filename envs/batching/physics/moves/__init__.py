"""Requests that give up what they hold for others."""
