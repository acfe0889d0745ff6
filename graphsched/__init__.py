"""Train, judge and ship learned schedulers."""

__version__ = "0.1.0"
