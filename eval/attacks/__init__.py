"""Instances on which one solver is worst beside another."""
