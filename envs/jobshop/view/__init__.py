"""What a policy sees of a pending decision."""
