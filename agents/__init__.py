"""Graph policies, PPO on graphs, search and deployment."""
