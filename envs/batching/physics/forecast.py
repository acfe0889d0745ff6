"""What may be expected of a replica: simple estimates from what a scheduler can know.

They assume that the present load goes on: prompts share the token budget with the running decodes,
memory is freed as the predicted lengths say.
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import (
    decode_attention_s,
    decodes_before_reads_s,
    kv_read_s,
    linear_s,
    product_s,
    usual_decode_s,
    with_prefill_s,
)
from graphsched.envs.batching.options import ORCA, REQUEST_LEVEL, VLLM_V0
from graphsched.envs.batching.physics.cluster import todo_of
from graphsched.envs.batching.physics.kv_blocks import blocks_for, found_blocks
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.cluster import Cluster

    Floats = NDArray[np.float64]

DECODES, KV, RATE, PACE, FULL, PER_TOKEN, RESIDUAL = range(7)  # of `look`
HIT, ALONE, WAIT, TTFT, TPOT, END, HEADROOM, MEMORY = range(8)  # of `expect`
WIDTH = 8


@kernel(entry=False)
def remaining(one: Any) -> int:
    """Output tokens that are still expected; a request beyond its prediction has a bit more."""
    return max(one.predicted - one.made, 1 + one.made // 4)


@kernel(entry=False)
def look(cluster: Cluster, r: int, out: Floats) -> None:
    """Load of a replica: decodes, their KV, blocks freed a second, times and paces, (WIDTH,)."""
    slot, rep = cluster.slot[0], cluster.rep[r]
    decodes, kv, release = 0, 0, 0.0
    for k in range(rep.running):
        one = cluster.req[cluster.run[r, k]]
        if one.made > 0:
            decodes += 1
            kv += one.kv
        release += one.own / remaining(one)
    table, loads = cluster.table[r], cluster.loads[r]
    attention = decode_attention_s(loads, decodes, kv) if decodes else 0.0
    pace = linear_s(table, decodes) + attention
    room = max(rep.budget - decodes, 64)
    together = linear_s(table, decodes + room) + attention
    if slot.batching in (VLLM_V0, ORCA, REQUEST_LEVEL):
        together = linear_s(table, room)  # prompts have iterations of their own
    full = with_prefill_s(together, loads, room)
    out[DECODES], out[KV], out[RATE] = decodes, kv, release / max(pace, 1e-6)
    out[PACE], out[FULL], out[PER_TOKEN] = pace, full, full / room
    out[RESIDUAL] = max(rep.busy_until - slot.clock, 0.0) if rep.batch else 0.0


@kernel(entry=False)
def prompt_s(cluster: Cluster, r: int, past: int, tokens: int, per_token: float) -> float:
    """Time to compute so many tokens of a prompt after others, s."""
    return float(tokens * per_token + product_s(cluster.loads[r], past, tokens))


@kernel(entry=False)
def expect(cluster: Cluster, r: int, i: int, load: Floats, out: Floats) -> None:
    """What becomes of request i if it goes to replica r now, (WIDTH,).

    Tokens found in the cache, prompt's time alone, wait, time to first token, time per token, time
    to the end (s, from now), blocks left over (a share, negative if they are short), wait for memory.
    """
    one, rep = cluster.req[i], cluster.rep[r]
    hit = BLOCK * found_blocks(cluster, r, i)
    prompt = one.prompt + one.made
    alone = prompt_s(cluster, r, hit, prompt - hit, load[PER_TOKEN])
    wait = load[RESIDUAL] + rep.pending * load[PER_TOKEN]
    need = blocks_for(prompt) + rep.pending // BLOCK + rep.watermark
    room = rep.free + rep.evictable - need
    out[MEMORY] = max(-room, 0) / max(load[RATE], 1e-3 * rep.blocks)
    wait = max(wait, out[MEMORY])
    decodes = load[DECODES] + 1
    reads = load[KV] + prompt + 0.5 * one.predicted
    table, loads = cluster.table[r], cluster.loads[r]
    pace = decodes_before_reads_s(table, loads, int(decodes), decodes) + kv_read_s(loads, reads)
    disturbed = min(rep.pending * load[PER_TOKEN] / max(load[FULL], 1e-6), 1e6)
    share = min(disturbed / one.predicted, 1.0)
    tpot = pace + share * max(load[FULL] - load[PACE], 0.0)
    out[HIT], out[ALONE], out[WAIT], out[TTFT] = hit, alone, wait, wait + alone
    out[TPOT], out[END] = tpot, wait + alone + tpot * (one.predicted - 1)
    out[HEADROOM] = room / rep.blocks


@kernel(entry=False)
def service_s(cluster: Cluster, r: int, i: int) -> float:
    """Predicted time on a replica of what is left of a request, by the replica's usual speed."""
    one = cluster.req[i]
    todo = max(todo_of(one), 0)
    pace = usual_decode_s(cluster.table[r], cluster.loads[r])
    return float(todo / cluster.rep[r].speed + remaining(one) * pace)


@kernel(entry=False)
def pace_end(one: Any) -> float:
    """When a request that has its first token is due to end by its target of time per token, s."""
    return one.first_token + one.tpot * (one.made + remaining(one) - 1)


@kernel(entry=False)
def urgency(cluster: Cluster, r: int, i: int) -> float:
    """Slack of a request, s: time to its nearest target minus its service.

    A stage has to leave enough time for those that need it.
    """
    slot, one = cluster.slot[0], cluster.req[i]
    todo = todo_of(one) / cluster.rep[r].speed
    slack = one.latest - slot.clock - service_s(cluster, r, i)
    if one.made == 0:
        slack = min(slack, one.visible + one.ttft - slot.clock - todo)
    else:
        slack = min(slack, pace_end(one) - slot.clock - service_s(cluster, r, i))
    return min(slack, 1e9)
