"""Small random programs of any shape, for properties that hold of all."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from graphsched.envs.memory.hardware.machine import Machine
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance


@st.composite
def programs(draw):
    """Updates in place, state, reuse, oversize and empty buffers."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    number = int(rng.integers(1, 9))
    kinds = ["temporary", "input", "output", "parameter", "state"]
    buffers = [
        Buffer(f"b{k}", int(rng.integers(0, 12)), kinds[rng.integers(5)]) for k in range(number)
    ]
    there = {k for k, b in enumerate(buffers) if b.kind in ("input", "parameter", "state")}
    instructions = []
    for t in range(int(rng.integers(1, 14))):
        reads = [k for k in there if rng.random() < 0.4]
        writes = [k for k in range(number) if rng.random() < 0.25]
        there |= set(writes)
        instructions.append(
            Instruction(
                f"i{t}",
                float(rng.integers(0, 20)) * (rng.random() < 0.6),
                tuple((k, buffers[k].size) for k in reads),
                tuple((k, buffers[k].size) for k in writes),
            )
        )
    copies = float(rng.choice([0.5e6, 1e6]))
    capacity, alignment = int(rng.integers(0, 24)), int(rng.choice([1, 2, 4]))
    machine = Machine("m", 1e6, 1e6, 1e7, copies, capacity, alignment)
    return MemoryInstance("p", tuple(buffers), tuple(instructions), machine)
