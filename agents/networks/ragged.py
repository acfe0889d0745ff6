"""Operations over the ragged blocks of a packed observation, in torch.

Rows of block i are [ptr[i], ptr[i + 1]). All of it is scatter and cumulative sums, which keep
gradients, export to ONNX and are faster on CPUs than segment reductions. torch_geometric's scatter
gives the same digits but takes up to twice as long on few rows, its softmax three times as long.
"""

from __future__ import annotations

import torch
from torch import Tensor


def block_index(ptr: Tensor, rows: int) -> Tensor:
    """(rows,) int64: the block that each row belongs to. ptr: (N + 1,); blocks may be empty."""
    marks = ptr.new_zeros(rows + 1)
    ends = ptr[1:]
    return marks.index_add(0, ends, torch.ones_like(ends)).cumsum(0)[:rows]


def block_sum(values: Tensor, block: Tensor, blocks: int) -> Tensor:
    """(blocks, ...) sums of (rows, ...) values."""
    return values.new_zeros(blocks, *values.shape[1:]).index_add(0, block, values)


def block_mean(values: Tensor, block: Tensor, ptr: Tensor) -> Tensor:
    """(N, width) means of (rows, width) values; 0 for empty blocks."""
    size = (ptr[1:] - ptr[:-1]).clamp(min=1).to(values.dtype)
    return block_sum(values, block, ptr.shape[0] - 1) / size[:, None]


def block_max(values: Tensor, block: Tensor, blocks: int) -> Tensor:
    """(blocks, width) maxima of (rows, width) values that are not negative; 0 for empty blocks."""
    zeros = values.new_zeros(blocks, values.shape[1])
    spread = block[:, None].expand(-1, values.shape[1])
    return zeros.scatter_reduce(0, spread, values, "amax", include_self=True)


def log_softmax(logits: Tensor, block: Tensor, blocks: int) -> Tensor:
    """(C,) log-probabilities within each block."""
    lowest = logits.new_full((blocks,), -torch.inf)
    peak = lowest.scatter_reduce(0, block, logits.detach(), "amax")
    shifted = logits - peak.index_select(0, block)
    return shifted - block_sum(shifted.exp(), block, blocks).log().index_select(0, block)


def entropy(log_probs: Tensor, block: Tensor, blocks: int) -> Tensor:
    """(N,) entropies in nats."""
    return -block_sum(log_probs.exp() * log_probs, block, blocks)


def argmax(logits: Tensor, ptr: Tensor, block: Tensor) -> Tensor:
    """(N,) index within its block of each block's first largest logit."""
    blocks, rows = ptr.shape[0] - 1, logits.shape[0]
    peak = logits.new_full((blocks,), -torch.inf).scatter_reduce(0, block, logits, "amax")
    place = torch.arange(rows, device=logits.device)
    wanted = torch.where(logits == peak.index_select(0, block), place, rows)
    first = place.new_full((blocks,), rows).scatter_reduce(0, block, wanted, "amin")
    return first - ptr[:-1]


def sample(log_probs: Tensor, ptr: Tensor, block: Tensor, uniforms: Tensor) -> Tensor:
    """(N,) index within its block of a draw by inversion. uniforms: (N,) in [0, 1)."""
    blocks = ptr.shape[0] - 1
    probs = log_probs.detach().double().exp()
    running = probs.cumsum(0)
    before = (running - probs).index_select(0, ptr[:-1])
    total = block_sum(probs, block, blocks)
    target = (before + uniforms.double() * total).index_select(0, block)
    passed = block_sum((running <= target).long(), block, blocks)
    return torch.minimum(passed, ptr[1:] - ptr[:-1] - 1)
