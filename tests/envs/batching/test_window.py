"""Graphs hold the requests that a decision is about, what they hang together by, and nothing else."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from math import log

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.features import (
    CONTEXT,
    PREFIX,
    REQUEST,
    SCHEMA,
    STAGE,
    TENANT,
    static_graph,
)
from graphsched.envs.batching.futures.redraw import redraw
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import (
    BatchingInstance,
    Prefixes,
    Replica,
    make_requests,
)
from graphsched.envs.batching.options import BatchingOptions
from graphsched.envs.batching.physics.loading import load_slot
from graphsched.envs.batching.physics.state import (
    ADMIT,
    BUDGET,
    FUTURE,
    PREEMPT,
    QUEUED,
    REJECTED,
    ROUTE,
    RUNNING,
    SWAPPED,
)
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.graph import columns
from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.padded import PaddedGraph
from graphsched.envs.core.sim import WAITING
from graphsched.envs.core.testing import check_domain

ALL = "route+admit+budget+preempt"
REQ, CTX = columns(REQUEST), columns(CONTEXT)


@dataclass(frozen=True)
class Windowed(BatchingOptions):
    """Options whose defaults put requests into the graph."""

    graph_window: int = 8


def world(name="hetero", size="60@24", seed=1):
    return GENERATORS[name](np.random.default_rng(seed), size)


def begun(instance, copies=1, **options):
    sim = BatchingSim(copies, BatchingOptions(**options))
    sim.reset(range(copies), [instance] * copies, range(copies))
    return sim


def graph_of(sim, obs, block=0):
    return sim.store.graph(int(obs["graph"][block]))


def played(instance, seed=0, **options):
    """Simulator, observation and graph of each decision of a random episode."""
    sim, rng = begun(instance, **options), np.random.default_rng(seed)
    while len((obs := sim.observe())["slot"]):
        yield sim, obs, graph_of(sim, obs)
        sim.step(rng.integers(np.diff(obs["candidate_ptr"])))


def write(record, **values):
    for name, value in values.items():
        record[name] = value


def about(columns_, **values):
    """Rows of what is said, and 0 for all other columns."""
    names = [f.name for f in columns_]
    assert set(values) <= set(names)
    return pytest.approx([values.get(name, 0.0) for name in names], rel=1e-5, abs=1e-7)


def a_scene(cards, window):
    """Request 3 arrives; on the slow replica 0 runs and 1 waits, on the fast one 2 and 6.

    4 needs what 0 and 3 say, 5 needs what 4 says. 0 ends in a segment from which 64 tokens on that
    of 1 and 3 branches off.
    """
    requests = make_requests(
        np.zeros(7),
        [100, 300, 50, 200, 80, 60, 70],
        [90] * 7,
        [40, 20, 10, 30, 25, 15, 5],
        group=np.array([0, 1, -1, 1, -1, -1, -1]),
        tenant=np.array([0, 1, 0, 1, 1, 1, 0]),
        weight=np.array([1.0, 2.0, 1.0, 1.0, 1.0, 3.0, 1.0]),
        ttft_s=np.array([1.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
    )
    instance = BatchingInstance(
        "scene",
        requests,
        (Replica(cards.slow, kv_blocks=200), Replica(cards.fast, kv_blocks=500)),
        np.array([[0, 3, 4], [4, 4, 5]]),
        prefixes=Prefixes(np.array([-1, 0]), np.array([0, 64])),
        shares=np.array([1.0, 3.0]),
    )
    sim = begun(instance, graph_window=window, order="vtc", agent=ALL)
    load_slot(sim.state, 0, instance, sim.options)
    state = sim.state
    write(state.slot[0], status=WAITING, clock=10.0, tail=4)
    write(state.rep[0][0], queued=1, running=1, free=150)
    write(state.rep[0][1], queued=1, running=1, swapped=1)
    state.queue[0, :, 0], state.run[0, :, 0] = [1, 2], [0, 6]
    state.cached[0] = [[7, 2], [3, 0]]
    state.tally[0, :, 1, 0] = [40.0, 60.0]
    for i, home, status, made in ((0, 0, RUNNING, 8), (1, 0, QUEUED, 0), (2, 1, SWAPPED, 4)):
        write(state.req[0][i], home=home, status=status, made=made, visible=9.4)
    write(state.req[0][0], own=7, held=6, kv=107, first_token=9.5)
    write(state.req[0][2], kv=53, first_token=9.5)
    write(state.req[0][6], home=1, status=RUNNING, visible=9.4)
    write(state.req[0][3], visible=10.0)
    return sim


def ask(sim, kind, choices, **slot):
    sim.state.choice[0, : len(choices)] = choices
    write(sim.state.slot[0], kind=kind, count=len(choices), **slot)
    return sim.observe()


def test_a_graph_by_hand(cards):
    """Of 5 requests 4 are in it: the subject, then of the slow replica 1 and 0, of the fast one 2."""
    sim = a_scene(cards, window=4)
    obs = ask(sim, ROUTE, [0, 1], subject=3)
    graph = graph_of(sim, obs)
    edges = {name: links.tolist() for name, links in graph.edges.items()}
    assert edges == {
        "part_of": [[0, 1], [0, 0]],
        "has": [[0, 0], [0, 1]],
        "runs_on": [[2], [0]],
        "runs": [[0], [2]],
        "waits_for": [[1, 3], [0, 1]],
        "keeps_waiting": [[0, 1], [1, 3]],
        "shares_prefix": [[0, 1, 2], [0, 0, 1]],  # the segment of 3 and 1, that of 0
        "shared_by": [[0, 0, 1], [0, 1, 2]],
        "precedes": [[0, 2], [0, 0]],
        "follows": [[0, 0], [0, 2]],
        "stage_precedes": [[0], [1]],
        "stage_follows": [[1], [0]],
        "belongs_to": [[0, 1, 2, 3], [0, 0, 1, 1]],  # tenants 1 and 0
        "sent": [[0, 0, 1, 1], [0, 1, 2, 3]],
    }
    # Stakes: 5: 3; 4: 1 + 3; 0 and 3: 1 + 4; 1: 2; 2: 1. Mean of 3, 1, 0 and 2: 3.25.
    subject, waiting, running, swapped = graph.nodes["request"].tolist()
    # Slack where it has most, on the fast replica: 1 s - 200 / 16,000 s.
    assert subject == about(
        REQUEST,
        prompt=log(201) / 10,
        output=log(31) / 10,
        slack=0.09875,
        stake=5 / 3.25,
        subject=1,
    )
    # 9.4 + 1.5 - 10 - 300 / 8000 s
    assert waiting == about(
        REQUEST,
        prompt=log(301) / 10,
        output=log(21) / 10,
        slack=0.08625,
        age=0.4,  # 0.6 / 1.5
        stake=2 / 3.25,
        queued=1,
    )
    # 32 tokens to come, at 12.6 ms; at 0.1 s a token after the first one it would end at 9.5 + 3.9.
    assert running == about(
        REQUEST,
        prompt=log(101) / 10,
        output=log(41) / 10,
        progress=0.2,
        slack=(13.4 - 10 - 1 / 8000 - 32 * 0.0126) / 10,
        age=0.6,
        stake=5 / 3.25,
        blocks=0.065,  # 13 / 200
        running=1,
    )
    # 6 tokens to come, at 2.2 ms, by 9.5 + 0.9
    assert swapped == about(
        REQUEST,
        prompt=log(51) / 10,
        output=log(11) / 10,
        progress=0.4,
        slack=(10.4 - 10 - 1 / 16_000 - 6 * 0.0022) / 10,
        age=0.6,
        stake=1 / 3.25,
        swapped=1,
    )
    last = {"prompt": log(61) / 10, "output": log(16) / 10, "stake": 3 / 3.25}
    first = {"prompt": log(81) / 10, "output": log(26) / 10, "stake": 4 / 3.25, "left": 1}
    assert graph.nodes["stage"].tolist() == [about(STAGE, **first), about(STAGE, **last)]
    # On the slow replica 4 + 2 blocks of the path to the second segment, on the fast one the 3 of
    # the first one.
    both = {"cached": log(97) / 10, "spread": 0.5, "requests": log(3)}
    alone = {"cached": log(113) / 10, "spread": 1, "requests": log(2)}
    assert graph.nodes["prefix"].tolist() == [about(PREFIX, **both), about(PREFIX, **alone)]
    large = {"requests": log(3), "share": 1.5, "served": log(101) / 10}
    small = {"requests": log(3), "share": 0.5}
    assert graph.nodes["tenant"].tolist() == [about(TENANT, **large), about(TENANT, **small)]
    before = static_graph(sim.instance(0))
    for name in ("replica", "cluster"):
        assert np.array_equal(graph.nodes[name], before.nodes[name])


def test_candidates_name_their_requests(cards):
    """After the replicas and their cluster; those beyond the window, and none of them, name nobody."""
    for window, kind, choices, subject, replicas, places in (
        (4, ROUTE, [1, 0], 3, [1, 0], [3, 3]),
        (4, ADMIT, [1, -1], 5, [0, 0], [3, -1]),
        (4, PREEMPT, [0, -1], 1, [0, 0], [4, -1]),
        (1, PREEMPT, [0, -1], 1, [0, 0], [-1, -1]),
        (4, BUDGET, [128, 256], 5, [0, 0], [-1, -1]),
        (0, ROUTE, [1, 0], 3, [1, 0], [-1, -1]),
    ):
        sim = a_scene(cards, window)
        obs = ask(sim, kind, choices, subject=subject, replica=0)
        start = sim.store.row_start(int(obs["graph"][0]))
        nodes = [
            [start + r, p if p < 0 else start + p] for r, p in zip(replicas, places, strict=True)
        ]
        assert obs["candidate_node"].tolist() == nodes
        rows = graph_of(sim, obs).nodes["request"]
        assert rows[:, REQ.subject].sum() == (window > 0 and kind in (ROUTE, PREEMPT))


def test_nothing_is_said_of_stages_that_are_lost(cards):
    sim = a_scene(cards, window=4)
    write(sim.state.req[0][4], status=REJECTED)
    graph = graph_of(sim, ask(sim, ROUTE, [0, 1], subject=3))
    assert len(graph.nodes["stage"]) == graph.edges["precedes"].shape[1] == 0
    assert sim.state.req[0][5]["status"] == FUTURE


@pytest.mark.compiled
@pytest.mark.parametrize("window", [3, 1000])
def test_candidates_requests_are_those_that_their_rows_tell_of(window):
    """By predicted output, at all decisions of an episode."""
    seen = dict.fromkeys((ADMIT, ROUTE, PREEMPT), 0)
    column = [feature.name for feature in SCHEMA.candidate].index("output")
    rules = {"agent": ALL, "order": "urgency", "displace": 2.0}
    for name, size in (("hetero", "80@60"), ("tight", "60@4")):
        for sim, obs, graph in played(world(name, size), graph_window=window, **rules):
            kind, nodes = int(obs["kind"][0]), obs["candidate_node"][:, 1]
            first = sim.store.row_start(int(obs["graph"][0])) + len(obs["resource"]) + 1
            for row, node in zip(obs["candidate"], nodes.tolist(), strict=True):
                if node < 0:
                    continue
                request = graph.nodes["request"][node - first]
                told = obs["context"][0, CTX.output] if kind == ROUTE else row[column] / 10
                assert request[REQ.output] == pytest.approx(told, rel=1e-5)
                assert request[REQ.subject] == (kind == ROUTE)
                assert request[REQ.running] == (kind == PREEMPT)
                seen[kind] += 1
            assert len(graph.nodes["request"]) <= window
    assert min(seen.values()) > 20


@pytest.mark.compiled
def test_the_graph_grows_with_arrivals_and_shrinks_as_requests_are_served():
    sizes = []
    for sim, obs, graph in played(world(), graph_window=1000):
        rep, req = sim.state.rep[0], sim.state.req[0]
        at_replicas = int((rep["queued"] + rep["running"]).sum())
        assert len(graph.nodes["request"]) == at_replicas + (obs["kind"][0] == ROUTE)
        assert graph.edges["runs_on"].shape[1] == (req["status"] == RUNNING).sum()
        sizes.append(len(graph.nodes["request"]))
    assert max(sizes) > 10
    assert sizes[0] == 1
    assert sizes[-1] < max(sizes) / 2


@pytest.mark.compiled
def test_looking_again_makes_no_other_graph_and_copies_share_theirs():
    sim = begun(world(), copies=3, graph_window=8)
    for _ in range(20):
        first, again = sim.observe(), sim.observe()
        assert np.array_equal(first["graph"], again["graph"])
        assert len(sim.store) == 3
        sim.step(np.array([0, 1, 1]))
    before = sim.observe()["graph"]
    sim.fork([0], [2])
    after = sim.observe()["graph"]
    assert after.tolist() == [before[0], before[1], before[0]]
    assert len(sim.store) == 2
    sim.step(np.array([0, 0, 1]))
    assert len(set(sim.observe()["graph"].tolist()) | set(before.tolist())) == 6


@pytest.mark.compiled
def test_the_graph_tells_nothing_of_what_is_drawn_anew():
    sim = begun(world(size="120@24"), copies=2, graph_window=1000)
    for _ in range(90):
        sim.step(np.zeros(2, np.int64))
    expected = graph_of(sim, sim.observe(), 0)
    assert len(expected.nodes["stage"]) > 0
    assert redraw(sim, [1], [5])
    sim.state.slot["graphed"][1] = -1
    found = graph_of(sim, sim.observe(), 1)
    assert found is not expected
    for part in ("nodes", "edges"):
        for name, rows in getattr(expected, part).items():
            assert np.array_equal(getattr(found, part)[name], rows), name


@pytest.mark.compiled
def test_padded_observations_have_room_for_requests():
    instance = world("tree", "20@8")
    sizes = astuple(begun(instance).most_rows(instance))
    env = PaddedGraph(GraphSchedEnv(DOMAIN, instance=instance, options={"graph_window": 6}))
    assert env.sizes.nodes >= sizes[0] + 6
    obs, _ = env.reset(seed=0)
    most, done = 0, False
    while not done:
        most = max(most, int(obs["node_mask"].sum()))
        obs, _, done, _, _ = env.step(0)
    assert sizes[0] + 6 < most <= env.sizes.nodes


@pytest.mark.compiled
def test_the_contract_holds_with_requests_in_the_graph():
    """On some kinds of instances and with few baselines, which know no window."""
    kinds = ("toy", "random", "tenants", "tree", "hetero")
    domain = replace(
        DOMAIN,
        options=Windowed,
        generators={kind: GENERATORS[kind] for kind in kinds},
        baselines={name: DOMAIN.baselines[name] for name in ("vllm-v1", "displacing")},
    )
    check_domain(domain, num_instances=1, sizes=dict.fromkeys(kinds[1:], "10"))


@pytest.mark.parametrize("value", [-1, 1001, 1.0, True, "8", None])
def test_a_bad_window_is_refused(value):
    with pytest.raises(InputError, match="graph_window"):
        BatchingOptions(graph_window=value)
