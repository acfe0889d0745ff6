"""Whatever a user hands over is answered by one line that names it, and nothing is left behind."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import time
from pathlib import Path  # noqa: TC003 - annotations of fixtures
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import domain_names, get_domain
from tests.fuzz.judging import peak_bytes
from tests.mutations import get, paths, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.core.domain import Domain

BASELINES = {
    "jobshop": "spt",
    "soc": "heft",
    "memory": "best-of-orders",
    "batching": "sarathi",
}
MOST_SECONDS, MOST_BYTES = 20, 2 * 10**9  # of a refusal
SMALL = {"jobshop": "3x2", "soc": "", "memory": "", "batching": "6@2"}


def document(name: str) -> dict[str, Any]:
    """A small good instance."""
    generator = "toy" if "toy" in get_domain(name).generators else "random"
    instance = get_domain(name).generators[generator](np.random.default_rng(0), SMALL[name])
    found: dict[str, Any] = json.loads(json.dumps(instance.to_json()))
    return found


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs a command that must fail with one line, in a folder of its own; gives the line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, names: str = "") -> str:
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        began, held = time.process_time(), peak_bytes()
        assert main([str(word) for word in words]) == 2
        assert time.process_time() - began < MOST_SECONDS
        assert peak_bytes() < max(MOST_BYTES, held + 1)
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("graphsched: error: ")
        assert names in lines[0]
        assert sorted(tmp_path.rglob("*")) == before
        return lines[0]

    return run


def places(found: Any) -> list[tuple[Any, ...]]:
    """Paths of all that stands in a document, of lists the first two."""
    return [p for p in paths(found) if not any(isinstance(k, int) and k > 1 for k in p)]


RAW: dict[str, bytes] = {
    "empty": b"",
    "binary": b"\xff\xfe\x00\x01" * 10,
    "cut": b'{"name": "x", ',
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "list": b"[1, 2]",
    "number": b"7",
    "null": b"null",
    "nan": b'{"name": NaN}',
    "infinity": b'{"name": -Infinity}',
    "overflow": b'{"name": 1e999}',
    "long integer": b'{"name": ' + b"9" * 5000 + b"}",
    "surrogate": rb'{"name": "\ud800"}',
    "twice": b'{"name": "a", "name": "b"}',
    "cut gzip": gzip.compress(b"{}" * 1000)[:20],
    "bomb": gzip.compress(b" " * (300 * 2**20), 1),
    "words": b"lorem ipsum\ndolor sit\n",
}


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("name", BASELINES)
def test_files_that_hold_no_instance(
    refused: Callable[..., str], tmp_path: Path, name: str, kind: str
) -> None:
    path = tmp_path / "some file.json"
    path.write_bytes(RAW[kind])
    refused(
        "solve", name, path, "--baseline", BASELINES[name], "--out", "s", names="some file.json"
    )
    if kind != "words":  # of which a solution's reader says the same
        refused("check", name, _good(name, tmp_path), path, names="some file.json")


@pytest.mark.parametrize("kind", RAW)
def test_files_that_hold_no_settings(
    refused: Callable[..., str], tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "some file.json"
    path.write_bytes(RAW[kind])
    word = f"sjf:{path}"
    refused("solve", "batching", "toy", "--baseline", word, "--out", "s", names="some file.json")
    if kind != "empty":
        refused("tune", "batching", "--baseline", "sjf", "--instances", "tight", "--out", path)
        assert path.read_bytes() == RAW[kind]


def _good(name: str, folder: Path) -> Path:
    path = folder / "good.json"
    path.write_text(json.dumps(document(name)))
    return path


@pytest.mark.parametrize("reader", [f"{n}:{r}" for n in BASELINES for r in get_domain(n).readers])
def test_pipes_devices_and_folders_are_no_instances(
    refused: Callable[..., str], tmp_path: Path, reader: str
) -> None:
    """None of them keeps a reader waiting."""
    name, _, kind = reader.partition(":")
    os.mkfifo(tmp_path / "pipe")
    for path in ("./pipe", "/dev/zero", "/dev/null"):
        refused("solve", name, f"{kind}@{path}", "--baseline", BASELINES[name], names=path[2:])
    (tmp_path / "folder").mkdir()
    refused("solve", name, f"{kind}@folder", "--baseline", BASELINES[name], names="folder")
    for path in ("pipe", "folder", "/dev/zero", "missing"):
        refused("check", name, _good(name, tmp_path), path, names=path)


@pytest.mark.parametrize("name", BASELINES)
def test_heads_and_names_of_fields(refused: Callable[..., str], tmp_path: Path, name: str) -> None:
    good = document(name)
    path = tmp_path / "i.json"
    changes: dict[str, dict[str, Any]] = {
        "schema": {"schema": 99},
        "domain": {"domain": "other"},
        "nmae": {"nmae": "x"},
        "name": {"name": None},
    }
    for field, change in changes.items():
        path.write_text(json.dumps(good | change))
        line = refused("solve", name, path, "--baseline", BASELINES[name], names="i.json")
        assert field in line
    for place in places(good):  # a field too many in every object
        if isinstance(get(good, place), dict):
            path.write_text(json.dumps(put(good, (*place, "colour"), "red")))
            line = refused("solve", name, path, "--baseline", BASELINES[name], names="i.json")
            assert "'colour'" in line


WRONG: tuple[Any, ...] = (None, True, 0.5, -1, "x", [], {}, 2**64, 10**400, 1e308, [None], "")


@pytest.mark.parametrize("name", BASELINES)
def test_every_field_of_an_instance_with_every_wrong_value(tmp_path: Path, name: str) -> None:
    """A reader takes a value or names the field; what it takes can be written and read again."""
    good, domain = document(name), get_domain(name)
    path = tmp_path / "i.json"
    names = {key.rstrip("s") for place in places(good) for key in place if isinstance(key, str)}
    for place in places(good):
        for value in WRONG:
            path.write_text(json.dumps(put(good, place, value)))
            line = _complaint(domain, path)
            named = any(name in line.casefold() for name in names)
            assert not line or ("i.json" in line and "\n" not in line and named), (
                place,
                value,
                line,
            )


def _complaint(domain: Domain[Any, Any], path: Path) -> str:
    """What is wrong with a file; nothing if what is read can be written and read again."""
    try:
        found = domain.readers["auto"](path).to_json()
    except InputError as error:
        return str(error)
    path.write_text(json.dumps(found))
    assert domain.readers["auto"](path).to_json() == found
    return ""


def test_rows_over_the_field_limit(refused: Callable[..., str], tmp_path: Path) -> None:
    long = "9" * (csv.field_size_limit() + 10)
    path = tmp_path / "t.csv"
    path.write_text(f"num_prefill_tokens,num_decode_tokens\n1,{long}\n")
    refused("solve", "batching", path, "--baseline", "sarathi", names="t.csv, line 2")
    path.write_text(f"id,lower,upper,size\n{long},1,2,3\n")
    refused("allocate", path, names="t.csv, line 2")


@pytest.mark.parametrize("column", ["alignment", "gaps"])
def test_columns_that_change_the_problem_are_not_ignored(
    refused: Callable[..., str], tmp_path: Path, column: str
) -> None:
    path = tmp_path / "b.csv"
    path.write_text(f"id,lower,upper,size,{column}\na,0,2,8,64\n")
    refused("allocate", path, names=f"b.csv, line 2, {column}")


def test_a_flexible_job_shop_is_said_to_be_one(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "mk01.fjs"
    path.write_text("1 2 2\n1 2 1 5 2 4\n")
    refused("solve", "jobshop", path, "--baseline", "spt", names="mk01.fjs: a flexible job shop")


OPTIONS = {
    "--beam": ("1000000", "-1", "9" * 30),
    "--rollouts": ("-1", "5000", "2.5"),
    "--futures": ("0", "-1"),
    "--horizon": ("0", "-1"),
    "--margin": ("-1", "nan"),
    "--rollout-ms": ("0", "-1", "inf"),
    "--samples": ("0", "100000000"),
    "--temperature": ("0", "nan", "inf"),
    "--time-limit": ("0", "-1", "nan", "inf", "1e9"),
    "--seed": ("-1", "0.5", "x"),
    "--workers": ("0",),
    "--policy": ("",),
    "--baseline": ("", "@", ">tabu", "spt@0", "spt@" + "9" * 5000),
    "--out": ("", "."),
    "--gantt": ("x.pdf", "."),
}


@pytest.mark.parametrize(("option", "value"), [(o, v) for o, vs in OPTIONS.items() for v in vs])
def test_options_out_of_range(refused: Callable[..., str], option: str, value: str) -> None:
    refused("solve", "jobshop", "ft06", f"{option}={value}")


@pytest.mark.parametrize(
    "what", ["", ",", "ft06,", "nothing", "random:0x0", "random:9x9:n=0", "./no"]
)
def test_instances_that_are_none(refused: Callable[..., str], what: str) -> None:
    refused("solve", "jobshop", what, "--baseline", "spt")
    refused("eval", "jobshop", "--instances", what, "--policy", "none", "--out", "e")


@pytest.mark.parametrize("name", domain_names())
def test_an_output_in_the_way_is_refused_before_the_work(
    refused: Callable[..., str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("kept")
    os.mkfifo(tmp_path / "pipe")
    for out in ("file/x", "pipe", "/proc/nothing/x", "."):
        refused("solve", name, "no-such-instance", "--baseline", "x", "--out", out)
        refused("tune", name, "--out", out)
    refused("extract", "memory", "unet", "--out", "pipe", names="pipe")
    refused("eval", name, "--instances", "toy" if name != "jobshop" else "ft06", "--out", "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_an_instance_is_not_overwritten(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(json.dumps(document("jobshop")))
    before = path.read_bytes()
    refused("solve", "jobshop", path, "--baseline", "spt", "--out", path, names="--out")
    refused("solve", "jobshop", path, "--baseline", "spt", "--out", "a.txt", "--gantt", "a.txt")
    assert path.read_bytes() == before
    for name, content in (("job.txt", b"job_name x"), ("SoC.txt", b"a platform")):
        (tmp_path / name).write_bytes(content)
        line = refused("solve", "soc", "ds3@job.txt+SoC.txt", "--baseline", "heft", "--out", name)
        assert f"--out {name}: is the instance" in line
        assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(
    "words",
    [
        ("allocate", "x.csv", "--time-limit", "1", "--time-limit=2"),
        ("allocate", "x.csv", "--capacity="),
        ("extract", "memory", "unet", "--batch", "1", "--batch", "1"),
        ("extract", "memory", "unet", "--out", ""),
        ("extract", "memory", "unet", "--im", "8"),
        ("solve", "jobshop", "ft06", "--seed", "1", "--seed", "2"),
    ],
)
def test_options_given_twice_empty_or_in_part(
    refused: Callable[..., str], words: tuple[str, ...]
) -> None:
    refused(*words, names="--")


@pytest.mark.parametrize("value", ["1e308", "1e999", "null", "true", "[1]", '"x"', "9" * 400])
def test_weights_that_are_no_weights(
    refused: Callable[..., str], tmp_path: Path, value: str
) -> None:
    features = [f'"{f.name}": {value}' for f in get_domain("jobshop").schema.candidate]
    path = tmp_path / "rule.json"
    path.write_text('{"weights": {' + ", ".join(features) + "}}")
    refused("tune", "jobshop", "--start", path, "--minutes", "0.01", names="rule.json")


def test_words_that_are_no_text(refused: Callable[..., str]) -> None:
    refused("solve", "jobshop", "caf\udce9.txt", "--baseline", "spt")


@pytest.mark.parametrize("size", ["--image=1", "--batch=0", "--sequence=99999999", "--width=0"])
def test_models_that_cant_be_traced(refused: Callable[..., str], size: str) -> None:
    pytest.importorskip("torch")
    assert re.search("--?[a-z]+", refused("extract", "memory", "unet", size))
