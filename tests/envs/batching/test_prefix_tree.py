"""Prefixes that branch are found, kept and evicted as worked out by hand; a bad tree is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import (
    BatchingInstance,
    Prefixes,
    Replica,
    instance_from_json,
    make_requests,
)
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.core.errors import InputError
from tests.envs.batching.hand import shop
from tests.envs.batching.test_timelines import NO_EDGES


def computed(prompts, blocks, parent, start, **columns):
    """Tokens of prompts that a replica computes, which serves one request after the other."""
    requests = make_requests(np.zeros(len(prompts)), prompts, [1] * len(prompts), **columns)
    tree = Prefixes(np.array(parent), np.array(start))
    fleet = (Replica(kv_blocks=blocks),)
    instance = BatchingInstance("tree", requests, fleet, NO_EDGES, prefixes=tree)
    solution = serve(instance, Scheduler(max_seqs=1))
    assert DOMAIN.check(instance, solution) == []
    assert len(solution.leave) == 0
    return solution.span[np.argsort(solution.span[:, 0]), 4].tolist()


def test_a_branch_is_found_up_to_where_it_branches_off():
    """Segment 1 branches off 0 after 32 tokens, and 2 after 48.

    0 leaves 4 blocks of segment 0; 1 finds two of them and leaves three of segment 1, which 2 finds
    with the two; 3 finds three of segment 0, and 4 all of it.
    """
    found = computed(
        [64, 80, 90, 70, 65],
        600,
        [-1, 0, 0],
        [0, 32, 48],
        group=[0, 1, 1, 2, 0],
        shared=[64, 32, 80, 48, 64],
        extends=[64, 80, 80, 48, 64],
    )
    assert found == [64, 80 - 32, 90 - 80, 70 - 48, 65 - 64]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (64, [6, 6]),  # 4 blocks: nothing has to go
        (80, [22, 6]),  # the last block of segment 1
        (96, [38, 6]),  # all of segment 1
        (112, [38, 22]),  # a block of segment 2
        (128, [38, 38]),  # all of it; what both stand on is still there
        (144, [54, 38]),  # a block of segment 0, which 3 computes again for 4
        (159, [70, 38]),  # all ten
    ],
)
def test_leaves_are_evicted_first_and_the_oldest_of_them(prompt, expected):
    """Segments 1 and 2 branch off 0 after two of ten blocks, and have two each.

    0 uses segment 1 and 1 uses segment 2 after that; both use 0. Six blocks are cached when 2 comes,
    which is of no group. 3 has 70 tokens by segment 1, 4 has as many by segment 2.
    """
    found = computed(
        [64, 64, prompt, 70, 70],
        10,
        [-1, 0, 0],
        [0, 32, 32],
        group=[1, 2, -1, 1, 2],
        shared=[64, 64, 0, 64, 64],
        extends=[64, 64, 0, 64, 64],
    )
    assert found == [64, 32, prompt, *expected]


def test_what_is_in_use_is_not_evicted_with_what_it_stands_on():
    """Of six blocks 0 holds four by segment 1, while 1 wants two and 2 wants three."""
    instance = shop(
        [64, 32, 48], [4, 1, 1], (6,), group=[1, -1, -1], shared=[64, 0, 0], extends=[64, 0, 0]
    )
    tree = Prefixes(np.array([-1, 0]), np.array([0, 32]))
    instance = replace(instance, prefixes=tree)
    solution = serve(instance, Scheduler(watermark=0.0, passes=9))
    assert DOMAIN.check(instance, solution) == []
    entries = {i: k for i, _, k, *_ in solution.entry.tolist()}
    assert entries == {0: 0, 1: 0, 2: 4}


BAD = [
    ({"parent": [0], "start": [0]}, r"prefixes.parent\[0\]: expected a number below its own"),
    ({"parent": [-2], "start": [0]}, r"prefixes.parent\[0\]"),
    ({"parent": [-1, 0], "start": [0, 8]}, r"prefixes.start\[1\]: expected a multiple of 16"),
    ({"parent": [-1], "start": [16]}, r"prefixes.start\[0\]: expected 0 where"),
    ({"parent": [-1, 0, 1], "start": [0, 32, 16]}, r"prefixes.start\[2\]: expected the parent's"),
    ({"parent": [-1, 0], "start": [0]}, r"prefixes.start: expected 2 integers"),
    ({"parent": [], "start": []}, r"prefixes: expected 1 at least, as requests name them"),
    ({"parent": [-1], "start": [0.5]}, r"prefixes.start\[0\]: expected an integer"),
    ({"parent": [-1]}, r"prefixes.start: missing"),
    ([], r"prefixes"),
]


@pytest.mark.parametrize(("prefixes", "words"), BAD)
def test_a_bad_tree_is_refused_with_its_place(prefixes, words):
    instance = shop([40], [1], group=[0], shared=[16], extends=[32])
    document = instance.to_json()
    assert document["prefixes"] == {"parent": [-1], "start": [0]}
    with pytest.raises(InputError, match=words):
        instance_from_json({**document, "prefixes": prefixes})


def test_documents_without_a_tree_have_groups_that_share_nothing():
    instance = shop([40, 40], [1, 1], group=[2, 0], shared=[16, 0], extends=[32, 0])
    document = instance.to_json()
    del document["prefixes"]
    assert instance_from_json(document).to_json() == instance.to_json()
    assert instance.prefixes.parent.tolist() == [-1, -1, -1]


@pytest.mark.compiled
def test_generated_trees_branch_and_pay():
    """Conversations below documents below system prompts; some branch once more."""
    instance = GENERATORS["tree"](np.random.default_rng(0), "200")
    tree, requests = instance.prefixes, instance.requests
    depth = np.zeros(len(tree), np.int64)
    for g, above in enumerate(tree.parent.tolist()):
        depth[g] = depth[above] + 1 if above >= 0 else 0
    assert {0, 1, 2, 3} <= set(depth.tolist())
    assert set(np.arange(len(tree))) == set(requests.group.tolist()) | set(tree.parent.tolist()) - {
        -1
    }
    found = serve(instance, Scheduler(router="prefix-affinity"))
    assert found.entry[:, 3].sum() > 0.3 * requests.prompt.sum()
    assert found.cost < serve(instance, Scheduler(prefix_cache=False)).cost


def test_a_request_of_a_chain_is_served_as_of_a_tree():
    """Sessions, whose groups are roots, have the logs that they had before trees."""
    instance = GENERATORS["sessions"](np.random.default_rng(0), "60")
    other = replace(instance, prefixes=None)  # type: ignore[arg-type]  # roots
    assert serve(instance, Scheduler()).to_json() == serve(other, Scheduler()).to_json()
