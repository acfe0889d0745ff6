"""Iterations of decodes alone, while nothing happens: many of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.batching.hardware.iteration_time import decodes_before_reads_s, kv_read_s
from graphsched.envs.batching.options import REQUEST_LEVEL, SARATHI, VLLM_V1
from graphsched.envs.batching.physics.admission import fits, head_of
from graphsched.envs.batching.physics.codes import ADMIT, BUDGET
from graphsched.envs.batching.physics.kv_blocks import blocks_for
from graphsched.envs.batching.physics.log import log_decodes, log_iteration
from graphsched.envs.core.kernels.jit import kernel

if TYPE_CHECKING:
    from graphsched.envs.batching.physics.log import Log
    from graphsched.envs.batching.physics.state import State

MANY = 2**40


@kernel(entry=False)
def _may_admit(state: State, b: int, r: int) -> bool:
    """Whether a queued request could join while only decodes go on; orders don't change by then."""
    rep, slot = state.rep[b, r], state.slot[b]
    if rep.queued == 0 or rep.hold or rep.running >= slot.max_seqs:
        return False
    if slot.batching == REQUEST_LEVEL:
        return False
    if not state.agent[b, ADMIT]:
        head = head_of(state, b, r)
        return head >= 0 and fits(state, b, r, head)
    found = False
    for k in range(rep.queued):
        found |= fits(state, b, r, state.queue[b, r, k])
    return found


@kernel(entry=False)
def _steps(state: State, b: int, r: int) -> int:
    """Iterations in which all running requests decode and none of them ends or needs eviction."""
    req, rep, run, slot = state.req[b], state.rep[b, r], state.run[b, r], state.slot[b]
    chunked = slot.batching == SARATHI or slot.batching == VLLM_V1
    if rep.running == 0 or rep.swap_calls > 0 or (chunked and rep.running > rep.budget):
        return 0
    if state.agent[b, BUDGET] and rep.pending > 0:
        return 0
    out = MANY
    for k in range(rep.running):
        one = req[run[k]]
        if one.made == 0 or one.prompt + one.made - one.kv != 1:
            return 0
        out = min(out, one.output - one.made - 1)
    if out <= 0 or _may_admit(state, b, r):
        return 0
    while out > 0:
        need = 0
        for k in range(rep.running):
            one = req[run[k]]
            need += max(blocks_for(one.kv + out) - one.held - one.own, 0)
        if need <= rep.free:
            return out
        out //= 2
    return 0


@kernel(entry=False)
def coast(state: State, b: int, r: int, until: float, log: Log) -> float:
    """Run the iterations that end by ``until`` and hold no surprise; returns when the next begins."""
    req, rep, run = state.req[b], state.rep[b, r], state.run[b, r]
    at = max(rep.ready, state.slot[b].clock)
    steps = _steps(state, b, r)
    if steps == 0:
        return float(at)
    kv, loads = 0, state.loads[b, r]
    for k in range(rep.running):
        kv += req[run[k]].kv
    fixed = decodes_before_reads_s(state.table[b, r], loads, rep.running, rep.running)
    done = 0
    while done < steps:
        end = at + fixed + kv_read_s(loads, kv + done * rep.running)
        if end > until:
            break
        log_iteration(log, r, at, end, 0, 0)
        at = end
        done += 1
    for k in range(rep.running):
        one = req[run[k]]
        log_decodes(log, run[k], r, rep.iteration, done)
        need = blocks_for(one.kv + done) - one.held - one.own
        if need > 0:
            one.own += need
            rep.free -= need
        one.kv += done
        one.made += done
        if done > 0:
            one.last_token = at
    rep.iteration += done
    rep.ready = at
    return float(at)
