"""What a run is told: configuration, schedules, budget."""
