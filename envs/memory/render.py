"""Memory maps: time across, addresses up, a box for each residency; and the occupancy below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.parts.chart import Bar, Chart, drawers, palette
from graphsched.envs.memory.hardware.machine import MIB

if TYPE_CHECKING:
    from graphsched.envs.memory.instance import MemoryInstance
    from graphsched.envs.memory.solution import MemorySolution


def _chart(instance: MemoryInstance, solution: MemorySolution) -> Chart:
    capacity = max(instance.machine.fast_capacity, 1)
    names = [instance.buffers[b].name for b in instance.representative.tolist()]
    share = instance.size / capacity
    load = np.zeros(instance.num_instructions)
    bars = []
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    for g, start, end, offset in zip(*(c.tolist() for c in columns), strict=True):
        load[start:end] += share[g]
        words = f"{names[g]}: {instance.size[g] / MIB:.3g} MiB at {offset / MIB:.3g}"
        low, high = offset / capacity, float(share[g])
        bars.append(Bar(low, start, end, g, words=words, height=high))
    fast = f"{instance.machine.fast_capacity / MIB:g} MiB"
    return Chart(
        name=instance.name,
        summary=f"{solution.cost:.4g} us, {fast} of fast memory",
        axis="instruction",
        bars=tuple(bars),
        groups=palette(names),
        kind="storage",
        top=fast,
        load=tuple(load.tolist()),
    )


render_text, render_rgb, render_html = drawers(_chart)
