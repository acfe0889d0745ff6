"""What may be expected of a replica: simple estimates from what a scheduler can know.

They assume that the present load goes on: prompts share the token budget with the running decodes,
memory is freed as the predicted lengths say.
"""

# mypy: disable-error-code="no-any-return"
# (fields of records have no type)

from __future__ import annotations

from typing import TYPE_CHECKING

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
from graphsched.envs.batching.physics.kv_blocks import blocks_for, found_blocks
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.batching.physics.state import State

    Floats = NDArray[np.float64]

DECODES, KV, RATE, PACE, FULL, PER_TOKEN, RESIDUAL = range(7)  # of `look`
HIT, ALONE, WAIT, TTFT, TPOT, END, HEADROOM = range(7)  # of `expect`
WIDTH = 7


@kernel(entry=False)
def remaining(state: State, b: int, i: int) -> int:
    """Output tokens that are still expected; a request beyond its prediction has a bit more."""
    return max(state.req[b, i].predicted - state.req[b, i].made, 1 + state.req[b, i].made // 4)


@kernel(entry=False)
def look(state: State, b: int, r: int, out: Floats) -> None:
    """Load of a replica: decodes, their KV, blocks freed a second, times and paces, (WIDTH,)."""
    decodes, kv, release = 0, 0, 0.0
    for k in range(state.rep[b, r].running):
        i = state.run[b, r, k]
        if state.req[b, i].made > 0:
            decodes += 1
            kv += state.req[b, i].kv
        release += state.req[b, i].own / remaining(state, b, i)
    table, loads = state.table[b, r], state.loads[b, r]
    attention = decode_attention_s(loads, decodes, kv) if decodes else 0.0
    pace = linear_s(table, decodes) + attention
    room = max(state.rep[b, r].budget - decodes, 64)
    together = linear_s(table, decodes + room) + attention
    if state.slot[b].batching in (VLLM_V0, ORCA, REQUEST_LEVEL):
        together = linear_s(table, room)  # prompts have iterations of their own
    full = with_prefill_s(together, loads, room)
    out[DECODES], out[KV], out[RATE] = decodes, kv, release / max(pace, 1e-6)
    out[PACE], out[FULL], out[PER_TOKEN] = pace, full, full / room
    out[RESIDUAL] = (
        max(state.rep[b, r].busy_until - state.slot[b].clock, 0.0) if state.rep[b, r].batch else 0.0
    )


@kernel(entry=False)
def prompt_s(state: State, b: int, r: int, past: int, tokens: int, per_token: float) -> float:
    """Time to compute so many tokens of a prompt after others, s."""
    return float(tokens * per_token + product_s(state.loads[b, r], past, tokens))


@kernel(entry=False)
def expect(state: State, b: int, r: int, i: int, load: Floats, out: Floats) -> None:
    """What becomes of request i if it goes to replica r now, (WIDTH,).

    Tokens found in the cache, prompt's time alone, wait, time to first token, time per token, time
    to the end (s, from now), blocks left over (a share, negative if they are short).
    """
    hit = BLOCK * found_blocks(state, b, r, i)
    prompt = state.req[b, i].prompt + state.req[b, i].made
    alone = prompt_s(state, b, r, hit, prompt - hit, load[PER_TOKEN])
    wait = load[RESIDUAL] + state.rep[b, r].pending * load[PER_TOKEN]
    need = blocks_for(prompt) + state.rep[b, r].pending // BLOCK + state.rep[b, r].watermark
    room = state.rep[b, r].free + state.rep[b, r].evictable - need
    if room < 0:
        rate = max(load[RATE], 1e-3 * state.rep[b, r].blocks)
        wait = max(wait, -room / rate)
    decodes = load[DECODES] + 1
    reads = load[KV] + prompt + 0.5 * state.req[b, i].predicted
    table, loads = state.table[b, r], state.loads[b, r]
    pace = decodes_before_reads_s(table, loads, int(decodes), decodes) + kv_read_s(loads, reads)
    disturbed = min(state.rep[b, r].pending * load[PER_TOKEN] / max(load[FULL], 1e-6), 1e6)
    share = min(disturbed / state.req[b, i].predicted, 1.0)
    tpot = pace + share * max(load[FULL] - load[PACE], 0.0)
    out[HIT], out[ALONE], out[WAIT], out[TTFT] = hit, alone, wait, wait + alone
    out[TPOT], out[END] = tpot, wait + alone + tpot * (state.req[b, i].predicted - 1)
    out[HEADROOM] = room / state.rep[b, r].blocks


@kernel(entry=False)
def service_s(state: State, b: int, r: int, i: int) -> float:
    """Predicted time on a replica of what is left of a request, by the replica's usual speed."""
    todo = max(state.req[b, i].prompt + state.req[b, i].made - state.req[b, i].kv, 0)
    pace = usual_decode_s(state.table[b, r], state.loads[b, r])
    return float(todo / state.rep[b, r].speed + remaining(state, b, i) * pace)


@kernel(entry=False)
def urgency(state: State, b: int, r: int, i: int) -> float:
    """Slack of a request that is not running, s: time to its nearest target minus its service."""
    todo = (state.req[b, i].prompt + state.req[b, i].made - state.req[b, i].kv) / state.rep[
        b, r
    ].speed
    slack = (
        state.req[b, i].arrival
        + state.req[b, i].deadline
        - state.slot[b].clock
        - service_s(state, b, r, i)
    )
    if state.req[b, i].made == 0:
        slack = min(
            slack, state.req[b, i].visible + state.req[b, i].ttft - state.slot[b].clock - todo
        )
    return min(slack, 1e9)
