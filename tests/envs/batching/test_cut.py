"""Parts of a trace on a fleet of one's own: what is kept, what is changed, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.cli.main import main
from graphsched.envs.batching.instance import Prefixes, Replica, narrowed
from graphsched.envs.batching.readers import read_json
from graphsched.envs.batching.sources.cut import fleet_of
from graphsched.envs.core.errors import InputError

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.fixture
def trace(tmp_path):
    """Ten requests, a second apart, of 10, 20, ... tokens."""
    path = tmp_path / "trace.csv"
    rows = [f"2023-11-16 18:00:{k:02d}.0,{10 * (k + 1)},{k + 1}\n" for k in range(10)]
    path.write_text(HEAD + "".join(rows))
    return path


def test_parts_lie_evenly_over_the_trace(trace, tmp_path, capsys):
    out = tmp_path / "parts"
    words = ["cut", "batching", str(trace), "--requests", "4", "--count", "3", "--out", str(out)]
    words += ["--rate", "8", "--fleet", "2xh100:llama-2-7b:900,a100", "--ttft", "0.5"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{out}: 3 instances of 4 requests\n"
    parts = [read_json(path) for path in sorted(out.iterdir())]
    assert [part.requests.prompt[0] for part in parts] == [10, 40, 70]
    for part in parts:
        assert part.requests.arrival_s.tolist() == [0.0, 0.125, 0.25, 0.375]
        assert part.requests.ttft_s.tolist() == [0.5] * 4
        assert part.requests.tpot_s.tolist() == [0.1] * 4
        assert part.replicas == (*[Replica("h100", "llama-2-7b", 900)] * 2, Replica("a100"))


def test_without_a_rate_times_are_as_recorded(trace, tmp_path):
    out = tmp_path / "parts"
    words = ["cut", "batching", str(trace), "--requests", "3", "--count", "1", "--out", str(out)]
    assert main(words) == 0
    assert read_json(out / "0000.json").requests.arrival_s.tolist() == [0.0, 1.0, 2.0]


def test_only_prefixes_that_are_passed_are_kept():
    tree = Prefixes(np.array([-1, 0, -1, 1, 0]), np.array([0, 32, 0, 64, 16]))
    kept, groups = narrowed(tree, np.array([3, -1, 4, 3]))
    assert kept.parent.tolist() == [-1, 0, 1, 0]
    assert kept.start.tolist() == [0, 32, 64, 16]
    assert groups.tolist() == [2, -1, 3, 2]


@pytest.mark.parametrize(
    "words",
    [
        ["--requests", "11"],
        ["--requests", "0"],
        ["--count", "0"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--ttft", "-1"],
        ["--fleet", "2xb100"],
        ["--fleet", "a100:gpt-9"],
        ["--fleet", "a100:llama-3-8b:0"],
        ["--fleet", "a100,,a100"],
        ["--fleet", "0xa100"],
    ],
)
def test_what_can_not_be_cut_is_one_line(trace, tmp_path, capsys, words):
    out = tmp_path / "parts"
    assert main(["cut", "batching", str(trace), "--out", str(out), *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not out.exists()


def test_a_fleet_has_a_replica_at_least():
    with pytest.raises(InputError, match="--fleet"):
        fleet_of("0xa100")
