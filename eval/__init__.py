"""Benchmarks, comparisons and reports."""
