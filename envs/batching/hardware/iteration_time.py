"""How long an iteration takes: a table of linear operators, closed forms for the rest.

Time of a batch = linear operators by batch tokens (a table, because matrix kernels work in tiles of
tokens) + attention of decodes + attention of prefills + swapping. All in seconds.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK, gpu_named, model_named
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.kernels.jit import kernel
from graphsched.envs.core.parts.reading import read_rows, real

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.hardware.catalogue import Gpu, Model

    Floats = NDArray[np.float64]

STEP = 8  # tokens between entries of a table of linear operators
TABLE = 1025  # entries of it: up to 8192 tokens
USUAL_TOKENS = 512  # tokens of the batch by which a replica's speed is judged
USUAL_DECODES = 32  # rows of the batch by which its time per token is judged


class Cost(NamedTuple):
    """Places of a replica's cost coefficients, in `coefficients` and ``State.loads``."""

    decode_launch: int
    decode_row: int
    kv_token: int
    prefill_launch: int
    prefill_row: int
    product: int


COST = Cost(*range(6))
LOADS = len(COST)

# Attention on an A100, fitted to published kernel timings: share of the bandwidth that decodes
# reach, share of the peak that prefills reach, and what each launch and each row costs, s.
DECODE_EFFICIENCY, PREFILL_EFFICIENCY = 0.712, 0.563
DECODE_LAUNCH_S, DECODE_ROW_S = 0.656e-3, 2.37e-6
PREFILL_LAUNCH_S, PREFILL_ROW_S = 0.437e-3, 1.30e-6
# Linear operators where there is no profile: shares of the peaks, and kernels' launches a layer.
MATRIX_EFFICIENCY, STREAM_EFFICIENCY, LAYER_LAUNCH_S = 0.70, 0.80, 2.0e-5
TILE = 128  # tokens of a matrix kernel's tile
SWAP_CALL_S = 2.0e-5  # a copy between host and GPU, whatever its size
MOST = 1e9  # tokens and milliseconds of a profile
HOP_LATENCY_S = 1.0e-3  # setting up a transfer between replicas


@lru_cache(maxsize=256)
def linear_table(gpu: str, model: str, tp: int = 1, imbalance: float = 1.0) -> Floats:
    """(TABLE,) seconds of all linear operators and all-reduces at 0, 8, 16, ... tokens.

    Args:
        gpu: name of the GPU, or the path of a profile CSV (``tokens,linear_ms``).
        model: name of the model.
        tp: GPUs that share a replica (tensor parallelism).
        imbalance: load of the busiest expert over the mean (mixtures only), >= 1.

    Raises:
        InputError: an unknown name, or a bad profile.
    """
    shape = model_named(model)
    if gpu.endswith(".csv"):
        return _spread(*read_profile(Path(gpu)))
    card = gpu_named(gpu)
    shipped = files("graphsched.envs.batching.data") / f"linear_{gpu}_{model}_tp{tp}.csv"
    if shipped.is_file() and imbalance == 1.0:
        with as_file(shipped) as file:
            return _spread(*read_profile(file)) + _reductions(card, shape, tp)
    return roofline(card, shape, tp, imbalance)


def roofline(card: Gpu, model: Model, tp: int, imbalance: float = 1.0) -> Floats:
    """(TABLE,) the same from peaks: the slower of weights' streaming and tiles' arithmetic."""
    tokens = STEP * np.arange(TABLE, dtype=np.float64)
    padded = np.where(tokens <= TILE, np.maximum(tokens, 1.0), np.ceil(tokens / TILE) * TILE)
    share = model.active_experts / model.experts
    touched = 1.0 - (1.0 - share) ** np.maximum(tokens, 1.0)  # experts that some token needs
    streamed = model.attention_parameters + model.experts * model.expert_parameters * touched
    used = model.attention_parameters + model.active_experts * model.expert_parameters * imbalance
    reading = 2.0 * streamed / (tp * card.bandwidth * STREAM_EFFICIENCY)
    working = 2.0 * used * padded / (tp * card.flops * MATRIX_EFFICIENCY)
    layers = model.layers * (np.maximum(reading, working) + LAYER_LAUNCH_S)
    return _frozen(layers) + _reductions(card, model, tp)


def _reductions(card: Gpu, model: Model, tp: int) -> Floats:
    """(TABLE,) two all-reduces of the activations a layer."""
    if tp == 1:
        return _frozen(np.zeros(TABLE))
    size = 2.0 * model.hidden * STEP * np.arange(TABLE)
    return _frozen(2.0 * model.layers * (card.link_latency_s + size / card.link_bandwidth))


def _frozen(values: NDArray[Any]) -> Floats:
    out = values.astype(np.float64)
    out.setflags(write=False)
    return out


def read_profile(path: Path) -> tuple[Floats, Floats]:
    """Tokens and milliseconds of a profile CSV; raises InputError with file and row."""
    rows = read_rows(path, ("tokens", "linear_ms"))
    tokens, times = np.array(
        [[real(row[n], where, 0.0, MOST) for n in ("tokens", "linear_ms")] for where, row in rows]
    ).T
    if not (len(tokens) > 1 and (np.diff(tokens) > 0).all() and (tokens > 0).all()):
        raise InputError(path, "expected two rows at least, tokens > 0 and rising")
    if not (times > 0).all():
        raise InputError(path, "expected linear_ms > 0")
    if times[-1] < times[0]:  # longer batches would take less than no time
        raise InputError(path, "expected the last linear_ms not below the first")
    return tokens, times


def _spread(tokens: Floats, times_ms: Floats) -> Floats:
    """(TABLE,) seconds: linear between knots, proportional to tokens beyond the last."""
    at = STEP * np.arange(TABLE, dtype=np.float64)
    out = np.interp(at, tokens, times_ms)
    beyond = at > tokens[-1]
    slope = (times_ms[-1] - times_ms[0]) / (tokens[-1] - tokens[0])
    out[beyond] = times_ms[-1] + slope * (at[beyond] - tokens[-1])
    return _frozen(1e-3 * out)


def coefficients(gpu: str, model: str, tp: int = 1) -> Floats:
    """(LOADS,) s: decode launch, decode row, each KV token read, prefill launch, row, each product.

    A product is a (query, key) pair of tokens. A replica with a profile of its own has the
    attention of an A100.
    """
    card, shape = gpu_named("a100" if gpu.endswith(".csv") else gpu), model_named(model)
    read = shape.kv_bytes_per_token / (card.bandwidth * DECODE_EFFICIENCY * tp)
    product = 4.0 * shape.layers * shape.hidden / (card.flops * PREFILL_EFFICIENCY * tp)
    out = np.array([DECODE_LAUNCH_S, DECODE_ROW_S, read, PREFILL_LAUNCH_S, PREFILL_ROW_S, product])
    assert len(out) == LOADS
    return out


def kv_block_bytes(model: str) -> float:
    """Keys and values of a block of tokens in all layers, B."""
    return BLOCK * model_named(model).kv_bytes_per_token


def swap_block_s(gpu: str, model: str, tp: int = 1) -> float:
    """Time to move a KV block over PCIe."""
    card = gpu_named("a100" if gpu.endswith(".csv") else gpu)
    return kv_block_bytes(model) / (card.pcie_bandwidth * tp)


@kernel
def linear_s(table: Floats, tokens: int) -> float:
    """Linear operators of so many tokens, rounded up to the table's next entry; table: (TABLE,)."""
    k = int((tokens + STEP - 1) // STEP)
    if k < TABLE:
        return float(table[k])
    last, half = table[TABLE - 1], table[TABLE // 2]
    return float(last + (k - TABLE + 1) * (last - half) / (TABLE // 2))


@kernel(entry=False)
def decode_attention_s(loads: Floats, decodes: float, kv_tokens: float) -> float:
    """Attention of decodes that read so many KV tokens; loads: (LOADS,), as everywhere below."""
    launch, rows = loads[COST.decode_launch], loads[COST.decode_row] * decodes
    return float(launch + rows + kv_read_s(loads, kv_tokens))


@kernel(entry=False)
def kv_read_s(loads: Floats, kv_tokens: float) -> float:
    """What reading so many KV tokens adds to the attention of decodes."""
    return float(loads[COST.kv_token] * kv_tokens)


@kernel
def product_s(loads: Floats, past: float, tokens: float) -> float:
    """What the (query, key) pairs of a chunk after ``past`` tokens add to its attention."""
    return float(loads[COST.product] * products_of(past, tokens))


@kernel(entry=False)
def products_of(past: float, tokens: float) -> float:
    """(query, key) pairs of a chunk of a prompt after ``past`` tokens."""
    return float(tokens * (past + 0.5 * tokens))


@kernel
def batch_s(
    table: Floats,
    loads: Floats,
    tokens: int,
    decodes: int,
    kv_tokens: int,
    prefill_tokens: int,
    products: float,
) -> float:
    """Time of a batch without swapping, s.

    Args:
        table: (TABLE,) of the replica.
        loads: (LOADS,) of the replica.
        tokens: of the whole batch.
        decodes: rows that extend by one token.
        kv_tokens: KV tokens that they read.
        prefill_tokens: tokens of prompts' chunks.
        products: their `products_of`, summed up.
    """
    out = linear_s(table, tokens)
    if decodes > 0:
        out += decode_attention_s(loads, decodes, kv_tokens)
    if prefill_tokens > 0:
        launch, rows = loads[COST.prefill_launch], loads[COST.prefill_row] * prefill_tokens
        out += launch + rows + loads[COST.product] * products
    return float(out)


# The same sums by parts, for those who add something to a batch or vary it. The parts are added to
# what comes before one by one: floating-point sums depend on the order, schedules on the last bit.


@kernel(entry=False)
def decodes_before_reads_s(table: Floats, loads: Floats, tokens: int, decodes: float) -> float:
    """Time of a batch with decodes, but for their `kv_read_s`."""
    return float(
        linear_s(table, tokens) + loads[COST.decode_launch] + loads[COST.decode_row] * decodes
    )


@kernel
def with_prefill_s(before: float, loads: Floats, tokens: int) -> float:
    """Time of a batch that took ``before`` and has a chunk of a prompt too, without products.

    The linear operators of its tokens are part of ``before``.
    """
    return float(before + loads[COST.prefill_launch] + loads[COST.prefill_row] * tokens)


@kernel
def usual_prefill_s(table: Floats, loads: Floats) -> float:
    """A batch of `USUAL_TOKENS` of a prompt: what replicas' speed is judged by."""
    return with_prefill_s(linear_s(table, USUAL_TOKENS), loads, USUAL_TOKENS)


@kernel
def usual_decode_s(table: Floats, loads: Floats) -> float:
    """A batch of `USUAL_DECODES` that read next to nothing: what a further token usually takes."""
    return float(linear_s(table, USUAL_DECODES) + loads[COST.decode_launch])
