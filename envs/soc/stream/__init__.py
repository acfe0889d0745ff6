"""Streams: jobs arrive while others run; ready tasks are assigned to PEs."""
