"""Physics: how a schedule grows, one operation at a time."""
