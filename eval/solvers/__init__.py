"""Who takes part: words of the command line, and the solvers that they name."""
