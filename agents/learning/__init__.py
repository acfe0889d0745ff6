"""PPO over batches of simulators."""
