"""Plans: one job, all known beforehand; tasks are placed one by one."""
