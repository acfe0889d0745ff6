"""States of requests, decisions and ways out, as kernels know them."""

FUTURE, QUEUED, RUNNING, SWAPPED, SERVED, REJECTED = range(6)  # a request
ROUTE, ADMIT, BUDGET = range(3)  # a decision
RECOMPUTE, SWAP, FAIL = range(3)  # why a request left the GPU
