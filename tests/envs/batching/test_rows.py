"""Every column of every row is what can be worked out by hand for a small situation.

Replicas are those of `conftest.Cards`: times are in ms in the comments, s in the rows.
"""

from __future__ import annotations

from math import inf, log, log10

import numpy as np
import pytest

from graphsched.envs.batching.features import (
    CANDIDATE,
    CLUSTER,
    CONTEXT,
    REPLICA,
    RESOURCE,
    static_graph,
)
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.iteration_time import COST
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import BatchingOptions, Scheduler
from graphsched.envs.batching.physics.loading import load_slot
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.state import ADMIT, BUDGET, ROUTE, RUNNING, SWAPPED
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.core.sim import WAITING

NO_EDGES = np.zeros((2, 0), np.int64)


def named(row, columns):
    """A row by name of its columns."""
    return dict(zip([f.name for f in columns], row.tolist(), strict=True))


def about(columns, **values):
    """What is said, and 0 for all other columns."""
    names = [f.name for f in columns]
    assert set(values) <= set(names)
    return pytest.approx({name: values.get(name, 0.0) for name in names}, rel=1e-5, abs=1e-9)


def write(record, **values):
    for name, value in values.items():
        record[name] = value


class Scene:
    """A simulator whose only slot is put into a situation by hand."""

    def __init__(self, cards, requests, blocks, **options):
        fleet = (Replica(cards.slow, kv_blocks=blocks[0]), Replica(cards.fast, kv_blocks=blocks[1]))
        instance = BatchingInstance("scene", requests, fleet, NO_EDGES, starvation_s=10.0)
        self.sim = BatchingSim(1, BatchingOptions(agent="route+admit+budget", **options))
        self.sim.reset([0], [instance], [0])
        load_slot(self.sim.state, 0, instance, self.sim.options)
        state = self.sim.state
        self.slot, self.req, self.rep = state.slot[0], state.req[0], state.rep[0]
        self.queue, self.run, self.choice = state.queue[0], state.run[0], state.choice[0]
        self.cached = state.cached[0]
        self.slot["status"] = WAITING

    def ask(self, kind, choices, **slot):
        self.choice[: len(choices)] = choices
        write(self.slot, kind=kind, count=len(choices), **slot)
        return self.sim.observe()

    def runs(self, replica, *requests, **records):
        """Requests that run on a replica, and the same numbers of queued ones."""
        self.run[replica, : len(requests)] = requests
        write(self.rep[replica], running=len(requests), **records)


def an_arrival(cards, **subject):
    """Request 5 arrives at a slow replica that is busy and a fast one that is short of memory.

    On the slow one 0 and 1 decode, 2 has 88 tokens of its prompt to go and 3 is queued; on the
    fast one 4 decodes.
    """
    asks = {"group": -1, "shared": 0, "ttft": inf, "tpot": inf, "deadline": inf, "queued": 300}
    asks |= subject
    group, shared = np.full(6, -1), np.zeros(6, np.int64)
    group[5], shared[5] = asks["group"], asks["shared"]
    targets = {
        f"{name}_s": np.array([1.0] * 5 + [asks[name]]) for name in ("ttft", "tpot", "deadline")
    }
    requests = make_requests(
        [0.0, 0.0, 0.0, 0.0, 0.0, 9.3],
        [100, 30, 600, asks["queued"], 150, 200],
        [90, 90, 90, 90, 90, 90],
        [40, 12, 30, 20, 11, 50],
        group=group,
        shared=shared,
        extends=shared,
        **targets,
    )
    scene = Scene(cards, requests, blocks=(200, 20))
    scene.runs(
        0, 0, 1, 2, queued=1, free=144, evictable=8, pending=88 + asks["queued"], watermark=2
    )
    scene.runs(1, 4, free=10, budget=256)
    write(scene.rep[0], batch=1, busy_until=11.63)
    scene.queue[0, 0] = 3
    for i, made, kv, own in ((0, 8, 107, 7), (1, 5, 34, 3), (2, 0, 512, 38), (4, 2, 151, 10)):
        write(scene.req[i], made=made, kv=kv, own=own, status=RUNNING)
    write(scene.req[5], visible=11.6)
    return scene


def routed(scene):
    """Rows by replica, which are offered in the other order."""
    obs = scene.ask(ROUTE, [1, 0], subject=5, clock=11.6, tail=6, settled=1, loss=90.0)
    assert obs["candidate_node"].tolist() == [[1, -1], [0, -1]]
    assert obs["candidate_resource"].tolist() == [[1], [0]]
    return obs["candidate"][1], obs["candidate"][0], obs


def test_a_route_by_hand(cards):
    """The slow replica has 2 of 3 decodes, the fast one has to free 3 blocks."""
    scene = an_arrival(cards, group=0, shared=72, ttft=0.09, tpot=0.02, deadline=3.0)
    scene.cached[0, 0] = 8
    slow, fast, obs = routed(scene)
    # Slow. 2 decodes read 107 + 34 = 141 KV tokens: 1 + 2 x 0.2 + 0.141 = 1.541; an iteration of
    # decodes alone 10.4 + 1.541 = 11.941. Of 512 tokens 510 are left for prompts: a full iteration
    # is 35.6 + 1.541 + 2.8 + 510 x 0.05 = 65.441, a prompt's token 65.441 / 510 = 0.12831569.
    # 4 of 8 blocks found belong to the 72 shared tokens. The prompt alone: 136 tokens, and
    # 136 x (64 + 68) products: 17.450933 + 0.17952 = 17.630453.
    # Wait: 30 for the iteration and 388 pending tokens: 30 + 49.786486 = 79.786486.
    # First token after 97.416940. Blocks: 144 + 8 - (13 + 388 // 16 + 2) = 113 left.
    # 3 decodes read 141 + 200 + 25 = 366: 10.4 + 1 + 0.6 + 0.366 = 12.366. Pending prompts disturb
    # 388 / 510 = 0.76078431 iterations by 65.441 - 11.941 = 53.5, over 50 tokens: 0.81403922.
    # A token: 13.180039. End: 97.416940 + 49 x 13.180039 = 743.238861, of 700 that are left.
    # Fast. 1 decode reads 151: 1.351; 1.08 + 1.351 = 2.431. 255 tokens of prompts:
    # 2.32 + 1.351 + 2.8 + 12.75 = 19.221; a token 0.07537647. Alone: 200 of them and 200 x 100
    # products: 15.075294 + 0.2 = 15.275294. Blocks: 10 - 13 = -3; one running request frees 10
    # blocks in max(11 - 2, 1) = 9 tokens, 3 are free after 3 / 10 x 9 x 2.431 = 6.5637.
    # First token after 21.838994. A token: 1.08 + 1 + 0.4 + (151 + 200 + 25) x 0.001 = 2.856.
    # End: 21.838994 + 49 x 2.856 = 161.782994.
    # Services, end - wait: 663.452375 and 155.219294, mean 409.335835; mean wait 43.175093.
    # HexGen: 0.5 (0.61697848 - 1.8479749) = -0.6154982; 0.5 (2.6371453 - 0.15202515) = 1.2425601.
    # Freeness: (152 - 19) / 3 = 44.33333 and 10.
    assert named(slow, CANDIDATE) == about(
        CANDIDATE,
        ttft=1.0824104,  # 97.416940 / 90
        ttft_over_best=0.83975495,  # 75.577946 / 90
        ttft_late=1,
        tpot=0.65900196,  # 13.180039 / 20
        tpot_over_best=0.51620196,  # 10.324039 / 20
        tpot_late=0,
        end=1.0617698,  # 743.238861 / 700
        end_over_best=3.7460283,  # 581.455867 / 155.219294
        end_late=1,
        late=1,
        wait=0.88651651,  # 79.786486 / 90
        alone=0.19589393,  # 17.630453 / 90
        hit=0.32,  # 64 / 200
        headroom=0.565,  # 113 / 200
        free=0.76,  # 152 / 200
        outstanding_over_least=log(5 / 2),  # 4 and 1 requests
        prefill_over_least=0.53888889,  # 388 / 8 = 48.5; 48.5 / 90
        slowness=0.5,  # 12,000 / 8000 - 1
        hexgen=-1.8580583,
        freeness=0,
        disturbs=0.0035260907,  # 2 x 17.630453 / 10,000
        # Its turn comes after the 30, 88 tokens of what runs, 11.291781, and all 300 that are
        # queued, with 300 x 150 products: 38.944707. First token: 97.866941.
        turn=1.0874105,  # 97.866941 / 90
        turn_over_best=0.84475496,  # 76.027947 / 90
        turn_late=1,
        flow=1.0624126,  # (97.866941 + 49 x 13.180039) / 700
        flow_late=1,
    )
    assert named(fast, CANDIDATE) == about(
        CANDIDATE,
        ttft=0.24265549,  # 21.838994 / 90
        tpot=0.1428,  # 2.856 / 20
        end=0.23111856,  # 161.782994 / 700
        wait=0.07293,  # 6.5637 / 90
        alone=0.16972549,  # 15.275294 / 90
        hit=0,
        headroom=-0.15,  # -3 / 20
        free=0.5,
        slowness=-0.25,  # 12,000 / 16,000 - 1
        hexgen=0,
        freeness=log(11) - log(1 + 133 / 3),
        disturbs=0.0015275294,  # 15.275294 / 10,000
        rule=1,  # nothing is pending there
        turn=0.24265549,
        flow=0.23111856,
    )
    assert named(obs["context"][0], CONTEXT) == about(
        CONTEXT,
        candidates=log(2),
        replicas=log(2) / 4,
        prompt=log(201) / 10,
        output=log(51) / 10,
        has_deadline=1,
        has_first=1,
        stake=1,
        grouped=1,
        load=log(3.5),  # 6 - 1 requests at 2 replicas
        late=0.15,  # 90 points / weight 6 / 100
    )
    assert named(obs["resource"][0], RESOURCE) == about(
        RESOURCE,
        pending=log(389),
        queued=log(2),
        running=log(4),
        free=0.76,
        residual=0.03,
        slowness=0.5,
        pace=0.11941,
        budget=0.9,  # 512 = 2^9
    )
    assert named(obs["resource"][1], RESOURCE) == about(
        RESOURCE, running=log(2), free=0.5, slowness=-0.25, pace=0.02431, budget=0.8
    )
    assert obs["resource_node"].tolist() == [0, 1]


def test_a_route_without_targets_by_hand(cards):
    """A quarter of the deadline is the scale; 20,000 queued tokens leave no memory."""
    slow, fast, obs = routed(an_arrival(cards, deadline=8.0, queued=20_000))
    # Slow. 20,088 pending tokens; blocks: 152 - (13 + 1255 + 2) = -1118. Blocks get free by
    # 7 / max(32, 3) + 3 / max(7, 2) + 38 / max(30, 1) = 1.9139881 in 11.941: 1118 take 6974.9849,
    # more than the 30 + 2577.6055 of the prompts. Alone: 200 x 0.12831569 + 0.2 = 25.863137.
    # First token: 7000.8480. A token: 12.366 + 20,088 / 510 / 50 x 53.5 = 54.511412.
    # End: 7000.8480 + 49 x 54.511412 = 9671.9072, of 8000 - 2300 that are left.
    # Fast: as above. Services 2696.9223 and 155.219294, mean 1426.0708; mean wait 3490.7743.
    # HexGen: 0.5 (0.52877713 - 1.9981197) = -0.73467129; 0.5 (4, the cap - 0.0018803) = 1.9990599.
    # Freeness: (152 - 1250) / 3 = -366 and 10.
    assert named(slow, CANDIDATE) == about(
        CANDIDATE,
        ttft=3.5004240,  # 7000.8480 / 2000
        ttft_over_best=3.4895045,
        tpot=0.54511412,  # / 100
        tpot_over_best=0.51655412,
        end=1.6968258,  # 9671.9072 / 5700
        end_over_best=4,  # 61.3, capped
        end_late=1,
        late=1,
        wait=3.4874924,  # 6974.9849 / 2000
        alone=0.012931569,
        headroom=-4,  # -5.59, capped
        free=0.76,
        outstanding_over_least=log(5 / 2),
        prefill_over_least=1.2555,  # 20,088 / 8 = 2511; / 2000
        slowness=0.5,
        hexgen=-2.7337311,
        freeness=-log(367) - log(11),
        disturbs=0.0051726275,
        turn=3.5004240,  # 4607.6 of prompts are ahead, the wait for memory is longer
        turn_over_best=3.4895045,
        flow=1.6968258,
        flow_late=1,
    )
    assert named(fast, CANDIDATE) == about(
        CANDIDATE,
        ttft=0.010919497,
        tpot=0.02856,
        end=0.028382981,
        wait=0.00328185,
        alone=0.0076376471,
        headroom=-0.15,
        free=0.5,
        slowness=-0.25,
        disturbs=0.0015275294,
        rule=1,
        turn=0.010919497,
        flow=0.028382981,
    )
    assert named(obs["context"][0], CONTEXT) == about(
        CONTEXT,
        candidates=log(2),
        replicas=log(2) / 4,
        prompt=log(201) / 10,
        output=log(51) / 10,
        has_deadline=1,
        stake=1,
        load=log(3.5),
        late=0.15,
    )


def test_a_route_without_any_target_is_measured_by_ten_seconds(cards):
    slow, _, obs = routed(an_arrival(cards))
    found = named(slow, CANDIDATE)
    assert found["alone"] == pytest.approx(0.025863137 / 10, rel=1e-5)
    assert (found["end"], found["late"]) == (0, 0)
    assert named(obs["context"][0], CONTEXT)["has_deadline"] == 0


@pytest.mark.parametrize(
    ("targets", "late"),
    [
        # 105.649624 to the first token, 13.180039 a token, 751.471546 to the end
        ({"ttft": 0.106, "tpot": 0.0132, "deadline": 3.06}, []),
        ({"ttft": 0.105, "tpot": 0.0132, "deadline": 3.06}, ["ttft_late", "late"]),
        ({"ttft": 0.106, "tpot": 0.0131, "deadline": 3.06}, ["tpot_late", "late"]),
        ({"ttft": 0.106, "tpot": 0.0132, "deadline": 3.04}, ["end_late", "late"]),
    ],
)
def test_each_target_is_missed_by_itself(cards, targets, late):
    slow, _, _ = routed(an_arrival(cards, **targets))
    found = named(slow, CANDIDATE)
    flags = ("ttft_late", "tpot_late", "end_late", "late")
    assert [name for name in flags if found[name]] == late


def test_what_a_hopeless_route_shows_is_capped(cards):
    slow, _, _ = routed(an_arrival(cards, ttft=0.001, tpot=0.001, deadline=2.4, queued=20_000))
    found = named(slow, CANDIDATE)
    compared = ("ttft", "ttft_over_best", "tpot", "tpot_over_best", "end", "end_over_best")
    capped = (*compared, "wait", "alone", "prefill_over_least")
    assert {name: found[name] for name in capped} == dict.fromkeys(capped, 4.0)


def queued(cards):
    """At the fast replica: 1 has been there before, 4 doesn't fit, 0, 3 and 2 are new."""
    requests = make_requests(
        np.zeros(7),
        [320, 100, 800, 480, 700, 90, 100],
        [90] * 7,
        [60, 8, 100, 300, 50, 9, 9],
        priority=np.array([1, 3, 2, -4, 9, 9, 9]),
        weight=np.array([2.0, 1.0, 3.0, 0.5, 8.0, 8.0, 8.0]),
        ttft_s=np.array([0.5, 0.4, 0.3, 0.4, 9.0, 9.0, 9.0]),
    )
    scene = Scene(cards, requests, blocks=(500, 100))
    scene.runs(1, 5, 6, queued=5, free=30, evictable=10, pending=2310, budget=1024)
    scene.queue[1, :5] = [1, 4, 0, 3, 2]
    for i, seen in enumerate((19.8, 12.0, 19.5, 19.9, 13.0)):
        write(scene.req[i], visible=seen)
    write(scene.req[1], made=10, kv=105, status=SWAPPED)
    for i, kv in ((5, 95), (6, 105)):
        write(scene.req[i], made=6, kv=kv, status=RUNNING)
    return scene


# Service: tokens to compute / 16,000 a second, and 1.04 + 32 x 0.005 + 1 = 2.2 for each token
# that is expected. Request 0: 20 + 60 x 2.2 = 152. Request 1: 100 + 10 - 105 = 5 tokens to compute,
# max(8 - 10, 1 + 10 // 4) = 3 to come: 0.3125 + 6.6 = 6.9125. Request 2: 50 + 220 = 270. Request 3:
# 30 + 660 = 690. Mean weight 6.5 / 4 = 1.625.
ADMISSIONS: list[dict[str, float]] = [
    {
        "work": 0.0152,
        "work_over_least": 0.01450875,  # 145.0875 / 10,000
        "prompt_time": 0.04,  # 20 / 500
        "age": 0.4,  # 200 / 500
        "slack": 0.56,  # (500 - 200 - 20) / 500
        "misses": 0,  # 280 > 152 / 2
        "starving": 0.02,  # 0.2 s / 10 s
        "need": 0.24,  # 380 tokens in 24 blocks, of 100
        "output": log(61),
        "priority": -2,
        "weight": 2 / 1.625,
        "place": log(3),  # third in the queue
        "value": 0.090954,  # 2 / 152 x 6.9125 / 1
        "timely": 1,
        "flow": 4,  # no deadline
        "stake": 2 / 1.625,
    },
    {
        "work": 0.00069125,
        "prompt_time": 0.00078125,  # 0.3125 / 400
        "age": 4,  # 8000 / 400, capped
        "slack": 0,  # its first token is out
        "starving": 0.8,
        "need": 0.07,  # 110 tokens
        "output": log(9),
        "weight": 1 / 1.625,
        "value": 1,
        "oldest": 1,
        "resumed": 1,
        "rule": 1,  # first come, first served
        "timely": 1,
        "flow": 4,
        "stake": 1 / 1.625,
    },
    {
        "work": 0.027,
        "work_over_least": 0.02630875,
        "prompt_time": 0.16666667,  # 50 / 300
        "age": 1.6666667,  # 500 / 300
        "slack": -0.83333333,  # (300 - 500 - 50) / 300
        "missed": 1,
        "starving": 0.05,
        "need": 0.57,  # 900 tokens
        "output": log(101),
        "priority": -1,
        "weight": 3 / 1.625,
        "place": log(5),
        "value": 0,  # too late
        "timely": 0,
        "flow": 4,
        "stake": 3 / 1.625,
    },
    {
        "work": 0.069,
        "work_over_least": 0.06830875,
        "prompt_time": 0.075,  # 30 / 400
        "age": 0.25,  # 100 / 400
        "slack": 0.675,  # (400 - 100 - 30) / 400
        "misses": 1,  # 270 < 690 / 2
        "starving": 0.01,
        "need": 0.49,  # 780 tokens
        "output": log(301),
        "priority": -4,  # -7, capped
        "weight": 0.5 / 1.625,
        "place": log(4),
        "value": 0.0050090580,  # 0.5 / 690 x 6.9125
        "timely": 1,
        "flow": 4,
        "stake": 0.5 / 1.625,
    },
]


def test_an_admission_by_hand(cards):
    scene = queued(cards)
    obs = scene.ask(ADMIT, [0, 1, 2, 3, -1], replica=1, clock=20.0, tail=7)
    for row, values in zip(obs["candidate"], [*ADMISSIONS, {"hold": 1.0}], strict=True):
        assert named(row, CANDIDATE) == about(CANDIDATE, **values)
    assert obs["candidate_node"].tolist() == [[1, -1]] * 5
    assert obs["candidate_resource"].tolist() == [[1]] * 5
    assert named(obs["context"][0], CONTEXT) == about(
        CONTEXT,
        candidates=log(5),
        replicas=log(2) / 4,
        queued=log(6),
        running=log(3),
        free=0.3,
        load=log(4.5),
    )
    assert named(obs["resource"][0], RESOURCE) == about(
        # nothing decodes, but the table's first entry is that of 8 tokens: 10.4
        RESOURCE,
        free=1,
        slowness=0.5,
        pace=0.104,
        budget=0.9,
    )
    assert named(obs["resource"][1], RESOURCE) == about(
        # 2 decodes read 200 KV tokens: 1.08 + 1 + 0.4 + 0.2 = 2.68
        RESOURCE,
        pending=log(2311),
        queued=log(6),
        running=log(3),
        free=0.4,
        slowness=-0.25,
        pace=0.0268,
        budget=1.0,
    )


def test_an_admission_without_holding_compares_all_of_them(cards):
    obs = queued(cards).ask(ADMIT, [0, 2], replica=1, clock=20.0)
    rows = [named(row, CANDIDATE) for row in obs["candidate"]]
    found = {name: [row[name] for row in rows] for name in ("work_over_least", "priority", "hold")}
    assert found["work_over_least"] == pytest.approx([0, 0.0118], rel=1e-5)  # (270 - 152) / 10,000
    assert found["priority"] == [-1, 0]
    assert found["hold"] == [0, 0]
    assert [row["weight"] for row in rows] == pytest.approx([0.8, 1.2])
    assert [row["value"] for row in rows] == [1, 0]


def test_long_waits_and_long_work_are_capped(cards):
    scene = queued(cards)
    write(scene.req[2], predicted=50_000)
    obs = scene.ask(ADMIT, [1, 2], replica=1, clock=40.0)
    found = named(obs["candidate"][1], CANDIDATE)
    names = ("work", "work_over_least", "age", "slack", "starving")
    assert [found[name] for name in names] == [4, 4, 4, -4, 2]


def decoding(cards, target):
    """At the slow replica: two decode, one is in its prompt and doesn't matter yet."""
    requests = make_requests(
        np.zeros(4), [100, 30, 600, 1912], [90] * 4, tpot_s=np.array([0.2, target, 0.001, 0.001])
    )
    scene = Scene(cards, requests, blocks=(200, 500))
    scene.runs(0, 0, 1, 2, queued=1, free=150, evictable=0, pending=2000)
    scene.queue[0, 0] = 3
    for i, made, kv in ((0, 8, 107), (1, 5, 34), (2, 0, 512)):
        write(scene.req[i], made=made, kv=kv, status=RUNNING)
    return scene


def test_a_budget_by_hand(cards):
    """Decodes 1 + 0.4 + 0.141; b tokens of prompts 2.8 + 0.05 b; linear 10 + 0.05 b: 14.341 + 0.1 b."""
    obs = decoding(cards, 0.064).ask(BUDGET, [128, 256, 512, 1024, 2048], replica=0, clock=1.0)
    expected = [  # for 27.141, 39.941, 65.541, 116.741 and 219.141
        # pace / 64; pending 2000 / (b - 2) iterations of that / 10,000
        {"budget": 0.7, "pace": 0.424078125, "drain": 0.043080952},
        {"budget": 0.8, "pace": 0.624078125, "drain": 0.031449606, "largest": 1},
        {"budget": 0.9, "pace": 1.024078125, "drain": 0.025702353, "pace_late": 1, "rule": 1},
        {"budget": 1.0, "pace": 1.824078125, "drain": 0.022845597, "pace_late": 1},
        {"budget": 1.1, "pace": 3.424078125, "drain": 0.021421408, "pace_late": 1},
    ]
    for row, values in zip(obs["candidate"], expected, strict=True):
        assert named(row, CANDIDATE) == about(CANDIDATE, **values)
    assert obs["candidate_node"].tolist() == [[0, -1]] * 5
    assert named(obs["context"][0], CONTEXT) == about(
        CONTEXT,
        candidates=log(5),
        replicas=log(2) / 4,
        queued=log(2),
        running=log(4),
        free=0.75,
    )
    assert named(obs["resource"][0], RESOURCE) == about(
        RESOURCE,
        pending=log(2001),
        queued=log(2),
        running=log(4),
        free=0.75,
        slowness=0.5,
        pace=0.11941,
        budget=0.9,
    )


@pytest.mark.parametrize(
    ("target", "late", "largest"),
    [
        (0.06553, [0, 0, 1, 1, 1], 1),  # 512 tokens take 65.541
        (0.06555, [0, 0, 0, 1, 1], 2),
        (0.02, [1, 1, 1, 1, 1], 0),
        (inf, [0, 0, 0, 0, 1], 3),  # the other decode's 0.2 s: 116.741 is in time, 219.141 is not
    ],
)
def test_the_largest_budget_keeps_the_tightest_pace(cards, target, late, largest):
    obs = decoding(cards, target).ask(BUDGET, [128, 256, 512, 1024, 2048], replica=0)
    rows = [named(row, CANDIDATE) for row in obs["candidate"]]
    assert [row["pace_late"] for row in rows] == late
    assert [row["largest"] for row in rows].index(1) == largest


def test_the_static_graph_by_hand(cards):
    fleet = (Replica(cards.slow, kv_blocks=200), Replica(cards.fast, kv_blocks=20))
    instance = BatchingInstance("graph", make_requests([0.0], [9], [9]), fleet, NO_EDGES)
    graph = static_graph(instance)
    # A usual prompt takes 64 and 32; a token in a batch of 32 takes 11.6 + 1 and 1.2 + 1.
    expected = [
        {
            "prefill": 0.24686008,  # log(64 / 50)
            "decode": -0.46203546,  # log(12.6 / 20)
            "memory": log10(200) / 4,
            "slowness": 0.5,  # 64 x (1 / 64 + 1 / 32) / 2 - 1
        },
        {
            "prefill": -0.44628710,  # log(32 / 50)
            "decode": -2.2072749,  # log(2.2 / 20)
            "memory": log10(20) / 4,
            "slowness": -0.25,
        },
    ]
    for row, values in zip(graph.nodes["replica"], expected, strict=True):
        assert named(row, REPLICA) == about(REPLICA, **values)
    (cluster,) = graph.nodes["cluster"]
    # deviation 16 of a mean of 48
    assert named(cluster, CLUSTER) == about(CLUSTER, replicas=log(2), unlikeness=1 / 3)
    assert graph.edges["part_of"].tolist() == [[0, 1], [0, 0]]
    assert graph.edges["has"].tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("target", "chunk"),
    [
        # 512 tokens: 35.6 + 1 + 0.2 + 0.016 + 2.8 + 25.6 = 65.216, of which one is the decode's
        (0.06521, 255),
        (0.06522, 511),
        # 1024 tokens: 61.2 + 1.216 + 2.8 + 51.2 = 116.416
        (0.11641, 511),
        (0.11642, 1023),
        (0.001, 127),  # the least there is
    ],
)
def test_the_dynamic_budget_counts_every_part_of_an_iteration(cards, target, chunk):
    """A request of 16 tokens decodes in the second iteration, next to a chunk of a long prompt."""
    requests = make_requests([0.0, 0.0], [16, 5000], [3, 1], tpot_s=np.array([target, 0.001]))
    fleet = (Replica(cards.slow, kv_blocks=1000),)
    solution = serve(BatchingInstance("dynamic", requests, fleet, NO_EDGES), Scheduler(budget=0))
    tokens = {(i, k): n for i, _, k, count, n in solution.span.tolist() if count}
    assert (tokens[0, 0], tokens[1, 0]) == (16, 2032)  # nothing decodes yet: 2048
    assert tokens[1, 1] == chunk


def in_quarters(scene, replica=0, decode_launch=0.0, prefill_launch=0.0):
    """Times that floats hold exactly: any batch takes half a second beside its launches."""
    state = scene.sim.state
    state.table[0, replica] = 0.5
    state.loads[0, replica] = 0.0
    state.loads[0, replica, COST.decode_launch] = decode_launch
    state.loads[0, replica, COST.prefill_launch] = prefill_launch
    return scene


@pytest.mark.parametrize("late", ["", "ttft", "tpot", "deadline"])
def test_a_target_that_a_route_just_meets_is_met(cards, late):
    """256 tokens at 0.5 / 512 each: 0.25; a second token 0.5 later."""
    targets = {"ttft": 0.25, "tpot": 0.5, "deadline": 0.75}
    if late:
        targets[late] -= 1e-6
    columns = {f"{name}_s": np.array([value]) for name, value in targets.items()}
    requests = make_requests([0.0], [256], [2], **columns)
    scene = in_quarters(Scene(cards, requests, blocks=(100, 100)))
    obs = scene.ask(ROUTE, [0], subject=0)
    found = named(obs["candidate"][0], CANDIDATE)
    flags = {"ttft": "ttft_late", "tpot": "tpot_late", "deadline": "end_late"}
    assert {name for name, flag in flags.items() if found[flag]} == ({late} if late else set())


@pytest.mark.parametrize(
    ("waited", "missed", "misses"),
    # the prompt takes 0.25 of the 1 s that there is, all of the service 0.75
    [(0.75, 0, 1), (0.7501, 1, 0), (0.375, 0, 0), (0.3751, 0, 1)],
)
def test_a_first_token_that_is_just_in_time_is_not_missed(cards, waited, missed, misses):
    requests = make_requests([0.0], [256], [1], ttft_s=np.array([1.0]))
    scene = in_quarters(Scene(cards, requests, blocks=(100, 100)))
    scene.runs(0, queued=1, speed=1024.0)
    obs = scene.ask(ADMIT, [0], replica=0, clock=waited)
    found = named(obs["candidate"][0], CANDIDATE)
    assert (found["missed"], found["misses"]) == (missed, misses)
    assert found["value"] == 1 - missed


def test_budgets_leave_16_tokens_for_prompts_and_may_just_keep_the_pace(cards):
    """Any iteration takes 0.5 + 0.25 + 0.25 s next to 120 decodes, which is their target."""
    size = 120
    requests = make_requests(np.zeros(size), [9] * size, [9] * size, tpot_s=np.ones(size))
    scene = in_quarters(Scene(cards, requests, (500, 500)), 0, 0.25, 0.25)
    scene.runs(0, *range(size), pending=32)
    scene.req["made"] = 1
    obs = scene.ask(BUDGET, [128, 256, 512, 1024, 2048], replica=0)
    rows = [named(row, CANDIDATE) for row in obs["candidate"]]
    assert [row["pace"] for row in rows] == [1] * 5
    assert [row["pace_late"] for row in rows] == [0] * 5
    assert [row["largest"] for row in rows] == [0, 0, 0, 0, 1]
    # 32 tokens in chunks of max(128 - 120, 16) and of 256 - 120; / 10 s
    assert rows[0]["drain"] == pytest.approx(0.2)
    assert rows[1]["drain"] == pytest.approx(32 / 136 / 10)


def test_rows_of_several_slots_are_those_of_each():
    made = [GENERATORS[name](np.random.default_rng(5), "20@9") for name in ("hetero", "tenants")]
    options = BatchingOptions(agent="route+admit+budget")
    both = BatchingSim(2, options)
    both.reset([0, 1], made, [0, 0])
    obs = both.observe()
    starts = [0, len(made[0].replicas) + 1]  # nodes: replicas and their cluster
    for k, instance in enumerate(made):
        one = BatchingSim(1, options)
        one.reset([0], [instance], [0])
        own = one.observe()
        rows = slice(*obs["candidate_ptr"][k : k + 2])
        places = slice(*obs["resource_ptr"][k : k + 2])
        assert obs["context"][k].tolist() == own["context"][0].tolist()
        assert obs["candidate"][rows].tolist() == own["candidate"].tolist()
        assert obs["resource"][places].tolist() == own["resource"].tolist()
        assert (obs["candidate_node"][rows] - [starts[k], 0]).tolist() == own[
            "candidate_node"
        ].tolist()
        assert (obs["resource_node"][places] - starts[k]).tolist() == own["resource_node"].tolist()
        assert obs["candidate_resource"][rows].tolist() == own["candidate_resource"].tolist()
