"""Policies as folders: what is in one, how it is written, where the shipped ones lie."""
