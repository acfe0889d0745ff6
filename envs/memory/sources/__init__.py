"""Where programs come from, beside generators, library and readers."""
