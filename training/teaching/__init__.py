"""Learning from teachers: what searches and solvers make of instances, and imitating it."""
