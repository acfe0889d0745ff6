"""XLA's stored solutions: a golden file, there and back again, and files of other programs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.baselines.xla.replay import order_in, replay_of
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.physics.mapping import solve_order

replay = DOMAIN.commands["replay"]


def test_golden_file(program):
    """Of the program in conftest, whose storages XLA takes up as a, x, b, o, w: ranks 0 to 4."""
    x, a, w, b, o = range(5)
    assert replay_of(program, np.array([b, a, w])) == {
        "schema": 1,
        "domain": "memory",
        "program": "by hand",
        "buffers": ["a", "x", "b", "o", "w"],
        "memory_space_assignment_config": [2, 0, 4, 1, 3],  # the rest as XLA would have it: x, o
        "placed": 3,
    }
    assert order_in(program, replay_of(program, np.array([o, x]))).tolist() == [o, x]


@pytest.mark.parametrize("name", ["best-of-orders", "local-search", "benefit-byte-time"])
def test_a_mapping_that_came_of_an_order_comes_back(name, tmp_path, capsys):
    program = GENERATORS["attention-training"](np.random.default_rng(4), "2@8")
    mapping = DOMAIN.baseline(name, SolverOptions(time_limit_s=0.1))(program)
    paths = [tmp_path / f"{what}.json" for what in ("program", "mapping", "replay", "again")]
    paths[0].write_text(json.dumps(program.to_json()))
    paths[1].write_text(json.dumps(mapping.to_json()))
    source, first, stored, again = map(str, paths)
    assert replay([source, "--mapping", first, "--out", stored]) == 0
    assert "read back the same mapping" in capsys.readouterr().out
    assert replay([source, "--read", stored, "--out", again]) == 0
    assert json.loads(paths[3].read_text()) == mapping.to_json()
    config = json.loads(paths[2].read_text())["memory_space_assignment_config"]
    assert sorted(config) == list(range(program.num_storages))


def test_a_mapping_of_no_order_is_said_not_to_come_back(tmp_path, capsys):
    out = tmp_path / "replay.json"
    words = ["attention-training:2@8:seed=4", "--baseline", "belady", "--out", str(out)]
    assert replay(words) == 0
    assert "the same mapping" not in capsys.readouterr().out
    assert json.loads(out.read_text())["placed"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"buffers": ["a"]}, "buffers: expected the 5 buffers of 'by hand'"),
        ({"memory_space_assignment_config": [0, 0, 1, 2, 3]}, "expected each of 5 ranks once"),
        ({"memory_space_assignment_config": [0, 1]}, "expected each of 5 ranks once"),
        ({"memory_space_assignment_config": "x"}, "memory_space_assignment_config: expected"),
        ({"placed": 6}, "placed: expected"),
        ({"domain": "jobshop"}, "jobshop"),
    ],
)
def test_files_of_other_programs_are_refused(program, change, message):
    document = replay_of(program, np.arange(5)) | change
    with pytest.raises(InputError, match=message):
        order_in(program, document)


def test_what_is_to_be_replayed_is_told_once(tmp_path):
    out = ["--out", str(tmp_path / "r.json")]
    with pytest.raises(InputError, match="expected one of --mapping, --baseline, --read"):
        replay(["toy", *out])
    with pytest.raises(InputError, match="found --baseline --read"):
        replay(["toy", "--baseline", "first", "--read", "x", *out])


def test_a_mapping_of_another_program_is_refused(tmp_path):
    toy = DOMAIN.library.load("toy")
    bad = solve_order(toy, np.arange(2)).to_json()
    bad["cost"] = 1.0
    (tmp_path / "m.json").write_text(json.dumps(bad))
    words = ["toy", "--mapping", str(tmp_path / "m.json"), "--out", str(tmp_path / "r.json")]
    with pytest.raises(InputError, match=r"m.json: not a mapping of toy"):
        replay(words)
    assert not (tmp_path / "r.json").exists()
