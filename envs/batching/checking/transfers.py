"""What goes over links: whose blocks, how many, for how long, and where they are meanwhile."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphsched.envs.batching.checking.stories import BLOCK, TOLERANCE
from graphsched.envs.batching.hardware.iteration_time import kv_block_bytes
from graphsched.envs.batching.solution import ABORTED, ARRIVED, COPIED
from graphsched.envs.core.domain import Violation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.batching.checking.stories import Clock, Story
    from graphsched.envs.batching.checking.visits import Transfer
    from graphsched.envs.batching.instance import BatchingInstance

    Ints = NDArray[np.int64]

ROUNDS = 3  # of copying while a request decodes, at most
LAST_BLOCKS = (
    16  # left when it stops before its rounds are over, and one of the iteration under way
)


class Reservation(NamedTuple):
    """Blocks for a request that moves: where it moves to, or where they still are."""

    replica: int
    begin: float
    end: float
    blocks: int


class Copying(NamedTuple):
    """What has been copied of a request that has not moved yet."""

    target: int = -1
    blocks: int = 0
    rounds: int = 0


def check_transfers(
    instance: BatchingInstance, stories: list[Story], clock: Clock
) -> tuple[list[Violation], list[Reservation]]:
    """What is wrong with transfers, and the blocks that they keep within iterations."""
    out = _check_links(instance, stories)
    reserved: list[Reservation] = []
    for i, story in enumerate(stories):
        found, blocks = _check_moves(instance, story, clock)
        out += [Violation("transfer", f"request {i}: {problem}") for problem in found]
        out += _check_roles(instance, story, i)
        reserved += blocks + _held_on(instance, story, clock, i)
    return out, reserved


def reserved_blocks(reserved: list[Reservation], clock: Clock, r: int) -> Ints:
    """(L,) the most at a time during each iteration of replica r."""
    begins, ends = clock.begins[r], clock.ends[r]
    out = np.zeros(len(begins), np.int64)
    mine = [each for each in reserved if each.replica == r]
    events = [(each.begin + TOLERANCE, each.blocks) for each in mine]
    events += [(each.end - TOLERANCE, -each.blocks) for each in mine]
    held = 0
    for (at, blocks), (after, _) in pairwise([*sorted(events), (np.inf, 0)]):
        held += blocks
        first, last = np.searchsorted(ends, at), np.searchsorted(begins, after)
        out[first:last] = np.maximum(out[first:last], held)
    return out


def _held_on(instance: BatchingInstance, story: Story, clock: Clock, i: int) -> list[Reservation]:
    """A request's own blocks in an iteration in which they have arrived elsewhere: up to then."""
    requests = instance.requests
    common = int(requests.extends[i]) // BLOCK if requests.group[i] >= 0 else 0
    out = []
    arrived = [each for each in story.transfers if each.outcome == ARRIVED]
    for each, (tokens, _) in zip(arrived, story.lefts, strict=True):
        begins = clock.begins[each.source]
        k = int(np.searchsorted(clock.ends[each.source], each.end + TOLERANCE))
        if k < len(begins) and begins[k] < each.end:
            own = -(-tokens // BLOCK) - min(common, tokens // BLOCK)
            out.append(Reservation(each.source, float(begins[k]), each.end, own))
    return out


def _check_links(instance: BatchingInstance, stories: list[Story]) -> list[Violation]:
    """One transfer after the other on each link, each as long as its blocks take."""
    out = []
    rows = sorted(
        (each for story in stories for each in story.transfers),
        key=lambda each: (each.source, each.begin, each.end),
    )
    for each in rows:
        size = each.blocks * kv_block_bytes(instance.replicas[each.source].model)
        expected = instance.link_latency_s + size / instance.link_bandwidth
        took = each.end - each.begin
        late = took > expected + TOLERANCE
        early = took < expected - TOLERANCE and each.outcome != ABORTED
        if late or early or took < 0 or each.begin < 0:
            problem = f"{each.blocks} blocks of request {each.request} take {took}"
            out.append(Violation("transfer", f"{problem}, expected {expected}"))
    for one, other in pairwise(rows):
        if one.source == other.source and other.begin < one.end - TOLERANCE:
            problem = f"the link of replica {one.source} carries two at {other.begin}"
            out.append(Violation("transfer", problem))
    return out


def _check_roles(instance: BatchingInstance, story: Story, i: int) -> list[Violation]:
    """Replicas compute what their pool does."""
    prompt = int(instance.requests.prompt[i])
    for run in story.runs:
        role = instance.replicas[run.replica].role
        after = run.before + run.length * run.tokens
        if (role == "decode" and not run.decode) or (role == "prefill" and after > prompt):
            problem = f"replica {run.replica} computes what is not for {role} in {run.iteration}"
            return [Violation("role", f"request {i}: {problem}")]
    return []


def _check_moves(
    instance: BatchingInstance, story: Story, clock: Clock
) -> tuple[list[str], list[Reservation]]:
    """A request's transfers one after the other."""
    problems: list[str] = []
    reserved: list[Reservation] = []
    held: list[Reservation] = []  # by the copying that goes on
    copying, moved = Copying(), 0
    for each in story.transfers:
        if problem := _misplaced(instance, story, each, moved):
            return [problem], reserved
        if each.target != copying.target or _copied_anew(story, clock, each, copying):
            reserved, held, copying = reserved + held, [], Copying(each.target)
        held = [one._replace(end=each.end) for one in held]
        held.append(Reservation(each.target, each.begin, each.end, each.blocks))
        if each.outcome == ARRIVED:
            problems += _last(instance, story, clock, each, copying, moved)
            moved += 1
        else:
            problems += _round(story, clock, each, copying)
        ends = each.outcome != COPIED
        copying = Copying() if ends else _more(copying, each.blocks)
        reserved, held = (reserved + held, []) if ends else (reserved, held)
    return problems, reserved + held


def _more(copying: Copying, blocks: int) -> Copying:
    return Copying(copying.target, copying.blocks + blocks, copying.rounds + 1)


def _misplaced(instance: BatchingInstance, story: Story, each: Transfer, moved: int) -> str | None:
    """What is wrong with the ends of a transfer."""
    source, target = instance.replicas[each.source], instance.replicas[each.target]
    if each.source != story.replicas[moved][0]:
        return f"a transfer from replica {each.source}, where it is not"
    if each.source == each.target or source.model != target.model or target.role == "prefill":
        return f"replica {each.target} can't take it over from {each.source}"
    return None


def _tokens_at(story: Story, clock: Clock, time: float) -> int:
    """Tokens that iterations which ended by then have computed, or found."""
    out = 0
    for k, stay in enumerate(story.stays):
        begins, ends = clock.begins[stay.replica], clock.ends[stay.replica]
        if stay.begin >= len(begins) or begins[stay.begin] >= time:
            break
        out = stay.found
        for run in story.runs:
            if run.stay == k:
                there = ends[run.iteration : run.iteration + run.length]
                done = int(np.searchsorted(there, time, side="right"))
                out = run.before + done * run.tokens if done else out
    return out


def _copied_anew(story: Story, clock: Clock, each: Transfer, copying: Copying) -> bool:
    """Whether what was copied before is lost: it broke off between two rounds."""
    tokens = _tokens_at(story, clock, each.begin)
    whole = -(-tokens // BLOCK) if each.outcome == ARRIVED else tokens // BLOCK
    return copying.blocks > 0 and each.blocks == whole


def _round(story: Story, clock: Clock, each: Transfer, copying: Copying) -> list[str]:
    """It decodes on while the full blocks that are new are copied."""
    expected = _tokens_at(story, clock, each.begin) // BLOCK - copying.blocks
    out = []
    if each.blocks != expected:
        out.append(f"{each.blocks} blocks are copied at {each.begin}, expected {expected}")
    if copying.rounds == ROUNDS:
        out.append(f"a round of copying more than {ROUNDS}")
    return out


def _last(
    instance: BatchingInstance,
    story: Story,
    clock: Clock,
    each: Transfer,
    copying: Copying,
    moved: int,
) -> list[str]:
    """It has stopped, all that is left goes, and it goes on when that has arrived."""
    (tokens, busy_s), out = story.lefts[moved], []
    expected = -(-tokens // BLOCK) - copying.blocks
    if each.blocks != expected:
        out.append(f"{each.blocks} blocks are moved at {each.begin}, expected {expected}")
    live = instance.replicas[each.source].role != "prefill"
    if live and each.blocks > LAST_BLOCKS + 1 and copying.rounds < ROUNDS:
        out.append(f"it stops with {each.blocks} blocks left")
    replica, enters = story.replicas[moved + 1]
    begins = clock.begins[replica]
    if each.begin < busy_s - TOLERANCE:
        out.append(f"it is moved at {each.begin}, before {busy_s}")
    if enters < len(begins) and begins[enters] < each.end - TOLERANCE:
        out.append(f"it goes on before {each.end}, when its blocks arrive")
    return out
