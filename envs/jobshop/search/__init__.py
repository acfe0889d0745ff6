"""Local search on machine orders: tabu search and path relinking between good schedules."""
