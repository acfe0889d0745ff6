"""Local search over plans: tasks change their lanes and places, by annealing."""
