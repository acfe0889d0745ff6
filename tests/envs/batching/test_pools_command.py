"""The command that splits replicas into pools tries all splits and says which is best."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.cli.main import main
from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS


def rows(capsys, *words):
    assert main(["pools", "batching", *words]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["prompts", "+", "decodes", "cost"]
    return [
        (line.split("  ")[0], float(line[len(line.split("  ")[0]) :].split()[0])) for line in lines
    ]


def test_splits_of_equal_replicas_are_told_by_number(capsys):
    found = rows(capsys, "pools:12:n=2")
    kind = "a100 llama-3-8b/1500"
    names = {"no pools", *(f"{kind} {n} + {4 - n}" for n in (1, 2, 3))}
    assert {name for name, _ in found} == names
    costs = [cost for _, cost in found]
    assert costs == sorted(costs)
    worlds = [GENERATORS["pools"](np.random.default_rng((0, k)), "12") for k in range(2)]
    mean = np.mean([DOMAIN.baseline("distserve")(world).cost for world in worlds])
    assert dict(found)[f"{kind} 2 + 2"] == pytest.approx(mean, abs=0.006)


def test_a_model_of_one_replica_has_no_pool_for_prompts(capsys):
    """Four unlike replicas, one of which has another model: it decodes."""
    found = rows(capsys, "hetero:8", "--baseline", "sarathi")
    assert len(found) == 1 + 2**3 - 2
    assert all(name == "no pools" or name.endswith("0 + 1") for name, _ in found)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["pools:9,tight:9"], "expected the replicas of pools-9@16, found others"),
        (["pools:9", "--baseline", "x"], "baseline 'x': not one of"),
        (["nowhere"], "nowhere"),
        ([], "instances"),
    ],
)
def test_what_can_not_be_searched_is_one_line(capsys, words, problem):
    assert main(["pools", "batching", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert problem in line
