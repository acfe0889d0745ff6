"""What plans and streams share: jobs on platforms as arrays, ranks, transfers."""
