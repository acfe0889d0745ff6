"""What the checker derives from a log: stories of requests, times of batches, blocks in memory."""
