"""Pictures and tables of an evaluation, on one self-contained page."""
