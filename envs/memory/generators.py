"""Random programs: chains, residual networks, attention, and training steps of each.

A size is ``BLOCKS@MIB``: blocks of layers and MiB of fast memory, each perhaps a range,
``4..12@8..128``. Widths, batch and so on are drawn.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.hardware.machine import MIB, PRESETS, Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.sources.builder import Builder

if TYPE_CHECKING:
    from collections.abc import Callable

TOY_OPTIMUM = 11.0
_PART = r"(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?"
_SIZE = re.compile(rf"{_PART}(?:@{_PART})?")
MOST_BLOCKS = 200


def _drawn(rng: np.random.Generator, size: str) -> tuple[int, Machine]:
    """Number of blocks and machine of a size."""
    found = _SIZE.fullmatch(size or "4..12@8..128")
    if not found:
        raise InputError(f"size {size!r}", "expected BLOCKS@MIB, such as 8@16 or 4..12@8..128")
    low, high, least, most = found.groups()
    for word in (low, high):
        if word and ("." in word or not 1 <= int(word) <= MOST_BLOCKS):
            raise InputError(f"size {size!r}", f"expected blocks in [1, {MOST_BLOCKS}]")
    first, last = int(low), int(high or low)
    fast = float(least or 16), float(most or least or 16)
    if first > last or fast[0] > fast[1] or fast[0] <= 0 or fast[1] > 2**20:
        raise InputError(f"size {size!r}", "expected rising ranges, and up to 2^20 MiB")
    blocks = int(rng.integers(first, last + 1))
    mib = float(np.exp(rng.uniform(*np.log(fast))))
    return blocks, PRESETS["tpuv4i"].with_capacity(round(mib * MIB))


def _pick(rng: np.random.Generator, *choices: float) -> int:
    return int(choices[rng.integers(len(choices))])


def _chain(b: Builder, rng: np.random.Generator, blocks: int) -> int:
    """Convolutions that shrink the picture and widen the channels."""
    batch, side = _pick(rng, 1, 2, 4, 8, 16), _pick(rng, 56, 112, 160, 224)
    width = _pick(rng, 16, 32, 64)
    x = b.buffer(batch * side * side * 3, "input")
    channels = 3
    for k in range(blocks):
        if k and rng.random() < 0.3 and side > 7:
            side //= 2
            width = min(width * 2, 1024)
        kernel = _pick(rng, 1, 3, 3, 5)
        area = batch * side * side
        weight = b.buffer(kernel * kernel * channels * width, "parameter")
        flops = 2.0 * area * kernel * kernel * channels * width
        x = b.apply("conv", flops, area * width, (x,), (weight,))
        channels = width
        if rng.random() < 0.7:
            x = b.norm(x, channels)
        x = b.pointwise("relu", x)
    return x


def _residual(b: Builder, rng: np.random.Generator, blocks: int) -> int:
    """Bottleneck blocks with a path around each; dense ones now and then."""
    batch, side = _pick(rng, 1, 2, 4, 8), _pick(rng, 28, 56, 112)
    width = _pick(rng, 32, 64, 128)
    area = batch * side * side
    x = b.linear(b.buffer(area * 27, "input"), area, 27, width)
    skips = [x]
    for k in range(blocks):
        if k and rng.random() < 0.25 and side > 7:
            side, area = side // 2, batch * (side // 2) ** 2
            x = b.apply("pool", 4 * area * width, area * width, (x,))
            x = b.linear(x, area, width, min(2 * width, 2048))
            width = min(2 * width, 2048)
            skips = [x]
        inner = max(width // _pick(rng, 1, 2, 4), 8)
        y = b.pointwise("relu", b.norm(b.linear(x, area, width, inner), inner))
        weight = b.buffer(9 * inner * inner, "parameter")
        y = b.apply("conv", 18.0 * area * inner * inner, area * inner, (y,), (weight,))
        y = b.linear(b.pointwise("relu", b.norm(y, inner)), area, inner, width)
        x = b.pointwise("add", b.norm(y, width), skips[-1])
        if len(skips) > 1 and rng.random() < 0.3:
            x = b.pointwise("add", x, skips[int(rng.integers(len(skips)))])
        x = b.pointwise("relu", x)
        skips.append(x)
    return x


def _attention(b: Builder, rng: np.random.Generator, blocks: int) -> int:
    """Transformer blocks; attention in one operator or in its parts."""
    tokens, width = _pick(rng, 64, 128, 256, 512, 1024), _pick(rng, 128, 256, 512, 768, 1024)
    batch, heads = _pick(rng, 1, 1, 2, 4, 8), _pick(rng, 4, 8, 12)
    rows, ratio = tokens * batch, _pick(rng, 2, 4, 4)
    gated, fused = rng.random() < 0.3, rng.random() < 0.4
    x = b.buffer(rows * width, "input")
    for _ in range(blocks):
        y = b.norm(x, width)
        q, k, v = (b.linear(y, rows, width, width) for _ in range(3))
        scores = float(heads) * tokens * rows
        flops = 2.0 * tokens * rows * width
        if fused:
            y = b.apply("attention", 2 * flops + 5 * scores, rows * width, (q, k, v))
        else:
            s = b.apply("scores", flops, scores, (q, k))
            s = b.pointwise("softmax", b.pointwise("scale", s), cost=5)
            y = b.apply("mix", flops, rows * width, (s, v))
        x = b.pointwise("add", b.linear(y, rows, width, width), x)
        y = b.norm(x, width)
        up = b.pointwise("gelu", b.linear(y, rows, width, ratio * width), cost=8)
        if gated:
            up = b.pointwise("multiply", up, b.linear(y, rows, width, ratio * width))
        x = b.pointwise("add", b.linear(up, rows, ratio * width, width), x)
    return x


_BODIES: dict[str, Callable[[Builder, np.random.Generator, int], int]] = {
    "chain": _chain,
    "residual": _residual,
    "attention": _attention,
}


def _program(name: str, training: bool, rng: np.random.Generator, size: str) -> MemoryInstance:
    blocks, machine = _drawn(rng, size)
    builder = Builder()
    out = _BODIES[name](builder, rng, blocks)
    if training:
        builder.backward(out)
    title = f"{name}{'-training' if training else ''}-{blocks}"
    return builder.finish(title, machine, *(() if training else (out,)))


def random_program(rng: np.random.Generator, size: str) -> MemoryInstance:
    """Any of the bodies, a training step in two cases of five; raises InputError for the size."""
    name = list(_BODIES)[rng.integers(len(_BODIES))]
    return _program(name, bool(rng.random() < 0.4), rng, size)


def toy(rng: np.random.Generator, size: str = "") -> MemoryInstance:
    """Three instructions, and a fast memory with room for one of two buffers.

    A byte takes 1 us from slow memory and 0.1 us from fast. `a` (4 bytes) links the first two
    instructions, `b` (4 bytes) the first and the third; the output has 2 bytes. In slow memory they
    take 8 + 4.2 + 6 = 18.2 us. Keeping `a` saves 3.6 us in the first instruction only, as the
    second computes for 4.2 us; keeping `b` saves 3.6 us twice: 11 us, the optimum.
    """
    del rng, size
    machine = Machine("toy", 1e6, 1e6, 1e7, 1e6, 4)
    buffers = (Buffer("a", 4), Buffer("b", 4), Buffer("out", 2, "output"))
    everything = [(0, 4), (1, 4), (2, 2)]
    a, b, out = everything
    instructions = (
        Instruction("make", 0.0, (), (a, b)),
        Instruction("use a", 4.2, (a,), ()),
        Instruction("use b", 0.0, (b,), (out,)),
    )
    return MemoryInstance("toy", buffers, instructions, machine)


GENERATORS: dict[str, Callable[[np.random.Generator, str], MemoryInstance]] = {
    "random": random_program,
    **{name: partial(_program, name, False) for name in _BODIES},
    **{f"{name}-training": partial(_program, name, True) for name in _BODIES},
    "toy": toy,
}
