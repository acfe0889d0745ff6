"""Where instances come from, beside generators, library and readers."""
