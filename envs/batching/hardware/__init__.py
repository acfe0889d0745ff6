"""GPUs and models by name, and how long an iteration takes on them."""
