"""Random instances: arrivals, lengths, conversations, shared prefixes, workflows, tenants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.instance import (
    BatchingInstance,
    Prefixes,
    Replica,
    make_requests,
    narrowed,
)
from graphsched.envs.batching.sources.lengths import lognormal, predictions
from graphsched.envs.batching.sources.mixture import mixture
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NO_EDGES = np.zeros((2, 0), np.int64)
TOY_OPTIMUM = 1.2482527652615227


class Size(NamedTuple):
    """``requests@rate``, both with the generator's defaults."""

    requests: int
    rate: float  # a second


def parse_size(size: str, requests: int, rate: float) -> Size:
    """Read ``60@2.5``, ``60`` or ``@2.5``; raises InputError."""
    match = re.fullmatch(r"(\d{1,6})?(?:@(\d{1,4}(?:\.\d{1,6})?))?", size, re.ASCII)
    if not match:
        raise InputError(f"size {size!r:.40}", "expected REQUESTS@RATE, such as 60@2.5")
    out = Size(int(match[1] or requests), float(match[2] or rate))
    if out.requests < 1 or not out.rate > 0:
        raise InputError(f"size {size!r:.40}", "expected a request and a rate above 0 at least")
    return out


def poisson(rng: Generator, size: int, rate: float) -> Floats:
    """Arrival times, s."""
    return np.cumsum(rng.exponential(1.0 / rate, size))


def bursts(rng: Generator, size: int, rate: float) -> Floats:
    """Gamma gaps whose burstiness switches between two regimes, as BurstGPT saw (Wang et al. 2024)."""
    gaps, k = np.empty(size), 0
    while k < size:
        length = int(rng.integers(10, 40))
        shape = float(rng.choice([0.25, 1.0]))
        part = min(length, size - k)
        gaps[k : k + part] = rng.gamma(shape, 1.0 / (shape * rate), part)
        k += part
    return np.cumsum(gaps)


def toy(rng: Generator, size: str = "") -> BatchingInstance:
    """Two replicas of unlike speed, three requests: the long one belongs to the fast replica.

    The optimum is the least of all routes and orders of admission under every batching rule that
    mixes prompts and decodes, with budgets of 128, 512 and 2048 tokens.
    """
    del rng, size
    requests = make_requests(
        [0.0, 0.01, 0.02], [256, 2048, 256], [4, 8, 4], ttft_s=[0.3, 0.3, 0.3], tpot_s=[0.1] * 3
    )
    replicas = (Replica("a100", kv_blocks=1024), Replica("h100", kv_blocks=1024))
    return BatchingInstance("toy", requests, replicas, NO_EDGES)


def _plain(arrivals: Callable[..., Floats], name: str) -> Callable[[Generator, str], Any]:
    def generate(rng: Generator, size: str = "") -> BatchingInstance:
        n, rate = parse_size(size, 24, 4.0)
        prompt = lognormal(rng, n, 900.0, 0.9, 16, 3072)
        output = lognormal(rng, n, 160.0, 0.8, 2, 1000)
        requests = make_requests(
            arrivals(rng, n, rate),
            prompt,
            output,
            predictions(rng, output),
            tpot_s=np.full(n, 0.06),
        )
        fleet = (Replica("a100", kv_blocks=4000), Replica("h100", kv_blocks=4000))
        return BatchingInstance(f"{name}-{n}@{rate:g}", requests, fleet, NO_EDGES)

    return generate


def sessions(rng: Generator, size: str = "") -> BatchingInstance:
    """Conversations: every turn's prompt is what was said so far and something new."""
    n, rate = parse_size(size, 24, 3.0)
    starts = poisson(rng, n, rate / 3.0)
    rows: list[tuple[float, int, int, int, int]] = []  # arrival, prompt, output, group, shared
    for group in range(n):
        at, said = float(starts[group]), 0
        for _ in range(int(rng.geometric(1 / 3))):
            new = int(lognormal(rng, 1, 250.0, 0.8, 8, 1500)[0])
            output = int(lognormal(rng, 1, 180.0, 0.7, 2, 800)[0])
            if said + new > 3500:
                break
            rows.append((at, said + new, output, group, said))
            said += new + output
            at += float(rng.exponential(8.0)) + 0.03 * output
    arrival, prompt, output_, group_, shared = np.array(sorted(rows)[:n]).T
    output = output_.astype(np.int64)
    requests = make_requests(
        arrival,
        prompt.astype(np.int64),
        output,
        predictions(rng, output),
        group=group_.astype(np.int64),
        shared=shared.astype(np.int64),
        extends=prompt.astype(np.int64) + output,
        tpot_s=np.full(len(output), 0.06),
    )
    fleet = (Replica("a100", kv_blocks=3000), Replica("h100", kv_blocks=3000))
    return BatchingInstance(f"sessions-{n}@{rate:g}", requests, fleet, NO_EDGES)


def offline(rng: Generator, size: str = "") -> BatchingInstance:
    """All at once, in groups that share most of their prompts, as in BatchLLM (Zheng et al. 2024).

    The target of the last token is the time in which a good order could be through.
    """
    n, _ = parse_size(size, 32, 1.0)
    group = np.sort(rng.integers(0, max(n // 8, 1), n))
    prefix = lognormal(rng, n, 1500.0, 0.4, 256, 3000)[group]
    shuffle = rng.permutation(n)
    group, prefix = group[shuffle], prefix[shuffle]
    own = lognormal(rng, n, 120.0, 0.6, 8, 600)
    output = lognormal(rng, n, 80.0, 0.6, 2, 400)
    requests = make_requests(
        np.zeros(n),
        prefix + own,
        output,
        predictions(rng, output),
        group=group,
        shared=prefix,
        extends=prefix,
        ttft_s=np.full(n, np.inf),
        tpot_s=np.full(n, np.inf),
        deadline_s=np.full(n, 0.06 * n + 5.0),
    )
    return BatchingInstance(f"offline-{n}", requests, (Replica(kv_blocks=1500),), NO_EDGES, 600.0)


class Draft(NamedTuple):
    """Columns of requests that are being drawn, in any order."""

    arrival: list[float]
    prompt: list[int]
    output: list[int]
    group: list[int]
    shared: list[int]
    deadline: list[float]
    weight: list[float]
    tenant: list[int]
    stage_of: list[tuple[int, int]]  # place of the stage before, place of the stage


def _workflow(rng: Generator, draft: Draft, at: float, group: int, schema: int) -> None:
    """Schema linking, candidates in parallel, revision: as in HexGen-Text2SQL (Peng et al. 2025)."""
    widths = (1, int(rng.integers(2, 4)), 1)
    slack = float(rng.uniform(7.0, 14.0))
    before: list[int] = []
    for stage, width in enumerate(widths):
        now = []
        for _ in range(width):
            place = len(draft.arrival)
            draft.arrival.append(at)
            draft.prompt.append(schema + int(lognormal(rng, 1, 200.0, 0.5, 16, 800)[0]))
            draft.output.append(int(lognormal(rng, 1, 120.0, 0.6, 4, 500)[0]))
            draft.group.append(group)
            draft.shared.append(schema)
            draft.deadline.append(slack if stage == 2 else np.inf)
            draft.weight.append(3.0 if stage == 2 else 0.0)
            draft.tenant.append(1)
            draft.stage_of.extend((p, place) for p in before)
            now.append(place)
        before = now


def hetero(rng: Generator, size: str = "") -> BatchingInstance:
    """Unlike replicas; chats with targets for their tokens, workflows with deadlines, prefixes."""
    n, rate = parse_size(size, 40, 24.0)
    draft = Draft([], [], [], [], [], [], [], [], [])
    schemas = lognormal(rng, 6, 1400.0, 0.4, 400, 2600)
    at = 0.0
    while len(draft.arrival) < n:
        if rng.random() < 0.2:
            group = int(rng.integers(6))
            _workflow(rng, draft, at, group, int(schemas[group]))
            at += float(rng.exponential(4.5 / rate))
            continue
        grouped = rng.random() < 0.4
        group = int(rng.integers(6)) if grouped else -1
        shared = int(schemas[group]) if grouped else 0
        draft.arrival.append(at)
        draft.prompt.append(shared + int(lognormal(rng, 1, 1200.0, 1.0, 16, 3500)[0]))
        draft.output.append(int(lognormal(rng, 1, 260.0, 0.8, 2, 900)[0]))
        draft.group.append(group)
        draft.shared.append(shared)
        draft.deadline.append(np.inf)
        draft.weight.append(1.0)
        draft.tenant.append(0)
        at += float(rng.exponential(1.0 / rate))
    chat = np.array(draft.tenant) == 0
    output = np.array(draft.output)
    requests = make_requests(
        draft.arrival,
        np.array(draft.prompt),
        output,
        predictions(rng, output),
        group=np.array(draft.group),
        shared=np.array(draft.shared),
        extends=np.array(draft.shared),
        deadline_s=np.array(draft.deadline),
        weight=np.array(draft.weight),
        tenant=np.array(draft.tenant),
        ttft_s=np.where(chat, 0.8, np.inf),
        tpot_s=np.where(chat, 0.04, np.inf),
    )
    fleet = (
        Replica("h100", kv_blocks=1200),
        Replica("a100", kv_blocks=1600),
        Replica("a100", kv_blocks=800),
        Replica("a100", "llama-2-7b", kv_blocks=500),
    )
    edges = np.array(draft.stage_of, np.int64).reshape(-1, 2).T
    return BatchingInstance(f"hetero-{n}@{rate:g}", requests, fleet, edges, 5.0)


def tight(rng: Generator, size: str = "") -> BatchingInstance:
    """One replica with little KV memory; short questions among long documents."""
    n, rate = parse_size(size, 40, 2.6)
    long = rng.random(n) < 0.25
    prompt = np.where(
        long, lognormal(rng, n, 2400.0, 0.3, 1000, 3500), lognormal(rng, n, 300.0, 0.7, 16, 1200)
    )
    output = np.where(
        long, lognormal(rng, n, 350.0, 0.4, 50, 550), lognormal(rng, n, 150.0, 0.8, 2, 500)
    )
    requests = make_requests(
        bursts(rng, n, rate),
        prompt,
        output,
        predictions(rng, output),
        tenant=long.astype(np.int64),
        ttft_s=np.where(long, 8.0, 3.0),
        tpot_s=np.full(n, 0.06),
    )
    fleet = (Replica(kv_blocks=600),)
    return BatchingInstance(f"tight-{n}@{rate:g}", requests, fleet, NO_EDGES, 10.0)


def tenants(rng: Generator, size: str = "") -> BatchingInstance:
    """Three tenants of unlike habits, targets and priorities on two equal replicas."""
    n, rate = parse_size(size, 30, 5.0)
    tenant = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    prompt = np.clip(np.array([300, 1200, 2500])[tenant] * rng.lognormal(0, 0.5, n), 16, 3500)
    draws = np.clip(np.array([120, 200, 60])[tenant] * rng.lognormal(0, 0.6, n), 2, 580)
    output = draws.astype(np.int64)
    requests = make_requests(
        bursts(rng, n, rate),
        prompt.astype(np.int64),
        output,
        predictions(rng, output),
        tenant=tenant,
        priority=np.array([2, 1, 0])[tenant],
        weight=np.array([1.0, 1.0, 2.0])[tenant],
        ttft_s=np.array([1.0, 3.0, 10.0])[tenant],
        tpot_s=np.array([0.04, 0.08, 0.2])[tenant],
    )
    fleet = (Replica(kv_blocks=2000), Replica(kv_blocks=2000))
    return BatchingInstance(f"tenants-{n}@{rate:g}", requests, fleet, NO_EDGES)


def mixed(rng: Generator, size: str = "") -> BatchingInstance:
    """Fleets, lengths, gaps, prefixes, workflows and targets of all kinds; ``requests@load``.

    The load is a share of what the fleet can serve, roughly.
    """
    return mixture(rng, *parse_load(size, 120))


def parse_load(size: str, requests: int) -> tuple[int, float | None]:
    """Read ``120@0.9`` or ``120``; raises InputError."""
    read = parse_size(size, requests, 1.0)
    return read.requests, read.rate if "@" in size else None


class _Branches:
    """A tree of prefixes that is being drawn, and requests that end in it, in any order."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.start: list[int] = []
        # arrival, prompt, output, group, shared, extends
        self.rows: list[tuple[float, int, int, int, int, int]] = []

    def branch(self, parent: int, tokens: int) -> int:
        """A new segment after the first whole blocks of a segment's path."""
        start = tokens // BLOCK * BLOCK
        while parent >= 0 and self.start[parent] > start:
            parent = self.parent[parent]
        self.parent.append(parent)
        self.start.append(start)
        return len(self.parent) - 1


def _length(rng: Generator, mean: float, spread: float, least: int, most: int) -> int:
    return int(lognormal(rng, 1, mean, spread, least, most)[0])


def _questions(rng: Generator, tree: _Branches, at: float, segment: int, common: int) -> None:
    """Several questions on one document or by one template, each alone."""
    for _ in range(int(rng.geometric(0.4))):
        prompt = common + _length(rng, 120.0, 0.7, 8, 600)
        output = _length(rng, 120.0, 0.7, 2, 500)
        tree.rows.append((at, prompt, output, segment, common, common))
        at += float(rng.exponential(2.0))


def _conversation(rng: Generator, tree: _Branches, at: float, segment: int, said: int) -> None:
    """Turns, some of which are regenerated (the same prompt again) or edited (from the turn before).

    What follows goes on from the new branch.
    """
    segment, again = tree.branch(segment, said), 0
    for _ in range(int(rng.geometric(0.3))):
        new = again or _length(rng, 200.0, 0.8, 8, 1200)
        prompt, output = said + new, _length(rng, 160.0, 0.7, 2, 700)
        if prompt > 3500:
            break
        tree.rows.append((at, prompt, output, segment, prompt if again else said, prompt + output))
        at += float(rng.exponential(8.0)) + 0.03 * output
        chance, again = float(rng.random()), 0
        if chance < 0.2:
            segment, again = tree.branch(segment, prompt), new
        elif chance < 0.35:
            segment = tree.branch(segment, said)
        else:
            said = prompt + output


def tree(rng: Generator, size: str = "") -> BatchingInstance:
    """System prompts, below them documents and few-shot templates, below these conversations.

    Three system prompts of 600 tokens, each with four to eight documents or templates of 900; half of
    what comes are questions on these, half conversations, whose turns may branch.
    """
    n, rate = parse_size(size, 40, 16.0)
    drawn, ends = _Branches(), []
    for _ in range(3):
        system, said = drawn.branch(-1, 0), _length(rng, 600.0, 0.4, 100, 1200)
        for _ in range(int(rng.integers(4, 9))):
            below = drawn.branch(system, said)
            ends.append((below, said + _length(rng, 900.0, 0.5, 100, 1500)))
    at, last = 0.0, np.inf
    while at < last:
        segment, said = ends[int(rng.integers(len(ends)))]
        begin = _questions if rng.random() < 0.5 else _conversation
        begin(rng, drawn, at, segment, said)
        at += float(rng.exponential(2.7 / rate))
        if np.isinf(last) and len(drawn.rows) >= n:
            last = sorted(drawn.rows)[n - 1][0]  # nobody is cut off who would come before
    arrival, *columns = zip(*sorted(drawn.rows)[:n], strict=True)
    prompt, output, group, shared, extends = (np.array(column) for column in columns)
    segments, group = narrowed(Prefixes(np.array(drawn.parent), np.array(drawn.start)), group)
    requests = make_requests(
        arrival,
        prompt,
        output,
        predictions(rng, output),
        group=group,
        shared=shared,
        extends=extends,
        ttft_s=np.full(n, 1.0),
        tpot_s=np.full(n, 0.06),
    )
    fleet = (Replica("a100", kv_blocks=600), Replica("h100", kv_blocks=600))
    return BatchingInstance(f"tree-{n}@{rate:g}", requests, fleet, NO_EDGES, prefixes=segments)


def pools(rng: Generator, size: str = "") -> BatchingInstance:
    """Chats with tight targets on four equal replicas, two for prompts and two that decode."""
    n, rate = parse_size(size, 40, 16.0)
    prompt = lognormal(rng, n, 1000.0, 0.8, 32, 3000)
    output = lognormal(rng, n, 200.0, 0.7, 2, 800)
    requests = make_requests(
        poisson(rng, n, rate),
        prompt,
        output,
        predictions(rng, output),
        priority=rng.integers(0, 2, n),
        ttft_s=np.full(n, 0.6),
        tpot_s=np.full(n, 0.025),
    )
    roles = ("prefill", "prefill", "decode", "decode")
    fleet = tuple(Replica(kv_blocks=1500, role=role) for role in roles)
    return BatchingInstance(f"pools-{n}@{rate:g}", requests, fleet, NO_EDGES)


GENERATORS: dict[str, Callable[[Generator, str], BatchingInstance]] = {
    "toy": toy,
    "random": _plain(poisson, "random"),
    "bursty": _plain(bursts, "bursty"),
    "sessions": sessions,
    "offline": offline,
    "hetero": hetero,
    "tight": tight,
    "tenants": tenants,
    "mixed": mixed,
    "tree": tree,
    "pools": pools,
}
