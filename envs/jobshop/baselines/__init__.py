"""Ways to solve a job shop without learning at solve time."""
