"""Local search over static plans: tasks change their lanes and places, by annealing."""
