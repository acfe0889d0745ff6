"""Templates of the report, as data."""
