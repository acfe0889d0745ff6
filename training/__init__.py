"""Training runs: configuration, schedules, callbacks and resume."""
