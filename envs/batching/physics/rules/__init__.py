"""Who is admitted next, by rule."""
