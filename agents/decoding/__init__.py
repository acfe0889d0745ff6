"""Schedules from a policy: greedy, sampled, by beam, by looking ahead."""
