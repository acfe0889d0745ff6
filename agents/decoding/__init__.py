"""Schedules from a policy: greedy, sampled, by beam."""
