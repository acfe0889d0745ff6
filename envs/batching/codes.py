"""Names and numbers of states, decisions and rules, as kernels know them."""

from __future__ import annotations

from typing import NamedTuple

BLOCK = 16  # tokens of a KV block
STEP = 8  # tokens between entries of a cost table
TABLE = 1025  # entries of a cost table: up to 8192 tokens
USUAL_TOKENS = 512  # tokens of the batch by which a replica's speed is judged
USUAL_DECODES = 32  # rows of the batch by which its time per token is judged


class Cost(NamedTuple):
    """Places of a replica's cost coefficients, in `costs.coefficients` and ``State.loads``."""

    decode_launch: int
    decode_row: int
    kv_token: int
    prefill_launch: int
    prefill_row: int
    product: int


COST = Cost(*range(6))
LOADS = len(COST)

FUTURE, QUEUED, RUNNING, SWAPPED, SERVED, REJECTED = range(6)  # a request
IDLE, WAITS, OVER = range(3)  # a slot
ROUTE, ADMIT, BUDGET = range(3)  # a decision
RECOMPUTE, SWAP, FAIL = range(3)  # why a request left the GPU

KINDS = ("route", "admit", "budget")
BATCHINGS = ("request-level", "orca", "vllm-v0", "sarathi", "vllm-v1")
REQUEST_LEVEL, ORCA, VLLM_V0, SARATHI, VLLM_V1 = range(5)
ORDERS = ("fcfs", "sjf", "srtf", "ltr", "priority", "urgency")
FCFS, SJF, SRTF, LTR, PRIORITY, URGENCY = range(6)
ROUTERS = (
    "round-robin",
    "random",
    "least-outstanding",
    "least-prefill",
    "speed-weighted",
    "power-of-two",
    "prefix-affinity",
    "hexgen",
    "llumnix",
    "least-ttft",
)
PREEMPTIONS = ("recompute", "swap")
BUDGETS = (128, 256, 512, 1024, 2048)  # tokens, on offer to whoever sets the budget
