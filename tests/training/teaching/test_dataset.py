"""A dataset comes back as it was written, and nothing else is taken for one."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.teaching.card import Card, options_table
from graphsched.training.teaching.dataset import (
    CARD,
    Episode,
    add_shard,
    begin_dataset,
    read_dataset,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBSHOP = get_domain("jobshop")
OPTIONS = JOBSHOP.options(delay_window=1.0)
FIGURES = {
    "decisions": 4,
    "inexact": 1,
    "teacher_gap_pct": 1.5,
    "replay_gap_pct": 2.5,
    "excess_pct": 1.0,
    "seconds": 0.25,
}


def card(count: int = 2) -> Card:
    """Asked for: so many episodes."""
    return Card(
        domain="jobshop",
        simulator=options_table(OPTIONS),
        instances="toy:=1",
        teacher="spt",
        time_limit_s=None,
        seed=0,
        count=count,
        versions={"python": "3"},
        git="0" * 40,
    )


def episode(targets: Any = None) -> Episode:
    """One of the toy instance; nobody plays it here."""
    instance = JOBSHOP.generators["toy"](np.random.default_rng(0), "")
    return Episode(instance, 7, np.array([0, 1]), targets, 17.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished dataset of two shards."""
    out = tmp_path / "new" / "dataset"
    found = begin_dataset(out, card(), JOBSHOP)
    for targets in (None, np.array([0.1, 0.9, 1 / 3, 2 / 3], np.float32)):
        found = add_shard(out, found, [episode(targets)], FIGURES)
    return out


def test_what_is_written_is_read(folder: Path) -> None:
    found, episodes = read_dataset(folder, JOBSHOP, OPTIONS)
    assert replace(found, shards=()) == card()
    assert [shard.episodes for shard in found.shards] == [1, 1]
    assert found.quality["decisions"] == 8
    assert found.quality["inexact_share"] == 0.25
    assert found.quality["replay_gap_pct"] == 2.5
    assert found.quality["seconds"] == 0.5
    for k, (read, targets) in enumerate(
        zip(episodes, (None, [0.1, 0.9, 1 / 3, 2 / 3]), strict=True)
    ):
        assert read.instance.to_json() == episode().instance.to_json()
        assert (read.seed, read.cost, read.actions.tolist()) == (7, 17.0, [0, 1])
        assert read.where == f"{folder}/shard-0000{k}.json.gz: episodes[0]"
        if targets is None:
            assert read.targets is None
        else:
            assert read.targets is not None
            assert read.targets.dtype == np.float32
            assert read.targets.tolist() == np.array(targets, np.float32).tolist()


def test_the_same_episodes_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    begun = begin_dataset(tmp_path / "again", card(), JOBSHOP)
    add_shard(tmp_path / "again", begun, [episode()], FIGURES)
    name = "shard-00000.json.gz"
    assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_other_options_and_domains(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"card.json: simulator.delay_window: expected 0.5, found 1"
    ):
        read_dataset(folder, JOBSHOP, JOBSHOP.options(delay_window=0.5))
    read_dataset(folder, JOBSHOP, replace(OPTIONS, look_ahead="rules", rules=2, pilot_steps=1))
    soc = get_domain("soc")
    with pytest.raises(InputError, match=r"card.json: domain: expected 'soc', found 'jobshop'"):
        read_dataset(folder, soc, soc.options())


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Change the card."""

    def apply(folder: Path) -> None:
        document = json.loads((folder / CARD).read_text())
        change(document)
        (folder / CARD).write_text(json.dumps(document))

    return apply


def rewrite(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Change the first shard, and its checksum in the card."""

    def apply(folder: Path) -> None:
        path = folder / "shard-00000.json.gz"
        document = json.loads(gzip.decompress(path.read_bytes()))
        change(document)
        path.write_bytes(gzip.compress(json.dumps(document).encode()))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        edit(lambda card: card["shards"][0].update(sha256=digest))(folder)

    return apply


def put(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    """Set a field of the first episode, or of the document."""
    return lambda document: document["episodes"][0].update({key: value})


def test_figures_may_have_been_summed_by_another_python(folder: Path) -> None:
    """Sums of numbers are more exact from Python 3.12 on; no other difference is forgiven."""
    edit(lambda c: c["quality"].update(seconds=0.5 + 1e-15))(folder)
    assert len(read_dataset(folder, JOBSHOP, OPTIONS)[1]) == 2


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: (f / "shard-00001.json.gz").unlink(), "shard-00001.json.gz: no such file"),
        (lambda f: (f / "shard-00000.json.gz").write_bytes(b"x"), "expected a file with SHA-256"),
        (lambda f: (f / CARD).unlink(), "card.json: no such file"),
        (lambda f: (f / CARD).write_text("{"), "card.json: expected JSON"),
        (edit(lambda c: c.update(schema=2)), "card.json: schema: expected 1, found 2"),
        (edit(lambda c: c.update(taecher="spt")), "'taecher': unknown field; is it 'teacher'?"),
        (edit(lambda c: c.pop("teacher")), "teacher: missing"),
        (edit(lambda c: c.update(count=3)), "expected 3 episodes, found 2: it is not finished"),
        (edit(lambda c: c.update(count=1)), "shards: expected 1 episodes at most, found 2"),
        (edit(lambda c: c.update(count=0)), "count: expected in"),
        (edit(lambda c: c.update(simulator=3)), "simulator: expected an object, found 3"),
        (edit(lambda c: c["simulator"].update(x=3)), "simulator.x: expected none, found 3"),
        (edit(lambda c: c["quality"].update(decisions=9)), "quality: expected what"),
        (edit(lambda c: c["quality"].update(seconds=0.5001)), "quality: expected what"),
        (edit(lambda c: c["quality"].update(seconds=10**400)), "quality: expected what"),
        (edit(lambda c: c.update(quality=[])), "quality: expected what"),
        (edit(lambda c: c["shards"].reverse()), r"shards\[0\].name: expected 'shard-00000"),
        (edit(lambda c: c["shards"][0].update(name="/etc/passwd")), r"shards\[0\].name: expected"),
        (edit(lambda c: c["shards"][0].update(sha256="x")), r"shards\[0\].sha256: expected 64"),
        (edit(lambda c: c["shards"][0].update(inexact=5)), r"shards\[0\].inexact: expected in"),
        (edit(lambda c: c["shards"][0].pop("seconds")), r"shards\[0\].seconds: missing"),
        (edit(lambda c: c["versions"].update(python=3)), "versions.python: expected a name"),
        (rewrite(lambda d: d.update(schema=9)), "shard-00000.json.gz: schema: expected 1, found 9"),
        (rewrite(lambda d: d.update(domain="soc")), "domain: expected 'jobshop', found 'soc'"),
        (rewrite(lambda d: d["episodes"].append({})), "episodes: expected 1, found 2"),
        (rewrite(put("extra", 1)), "'extra': unknown field"),
        (rewrite(put("actions", [0.5])), r"episodes\[0\].actions\[0\]: expected an integer"),
        (rewrite(put("actions", [-1])), r"episodes\[0\].actions\[0\]: expected in"),
        (rewrite(put("targets", [1.5])), r"episodes\[0\].targets\[0\]: expected in"),
        (rewrite(put("cost", "x")), r"episodes\[0\].cost: expected a number"),
        (rewrite(put("instance", {})), r"episodes\[0\].instance: "),
    ],
)
def test_damaged_datasets(damage: Callable[[Path], Any], told: str, folder: Path) -> None:
    """One line names the file, the field and what was expected."""
    damage(folder)
    with pytest.raises(InputError, match=told) as caught:
        read_dataset(folder, JOBSHOP, OPTIONS)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_dataset(tmp_path / "x", JOBSHOP, OPTIONS)


def test_a_part_is_taken_if_asked_for(tmp_path: Path) -> None:
    add_shard(tmp_path, begin_dataset(tmp_path, card(), JOBSHOP), [episode()], FIGURES)
    with pytest.raises(InputError, match="expected 2 episodes, found 1"):
        read_dataset(tmp_path, JOBSHOP, OPTIONS)
    assert len(read_dataset(tmp_path, JOBSHOP, OPTIONS, partial=True)[1]) == 1


def test_beginning_again_goes_on(folder: Path) -> None:
    """With the shards that are there; what a killed writer left goes away."""
    for name in (
        ".card.json.12ab34cd.tmp",
        ".shard-00002.json.g.12ab34cd.tmp",
        "shard-00002.json.gz",
    ):
        (folder / name).write_text("x")
    (folder / "notes.txt").write_text("mine")
    assert len(begin_dataset(folder, card(), JOBSHOP).shards) == 2
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == [CARD, "notes.txt", "shard-00000.json.gz", "shard-00001.json.gz"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"teacher": "lpt"}, "teacher: the dataset there has 'spt', asked for is 'lpt'"),
        ({"time_limit_s": 1.0}, "time_limit_s: the dataset there has None, asked for is 1.0"),
        ({"count": 3}, "count: the dataset there has 2, asked for is 3"),
        ({"seed": 1}, "seed: "),
        ({"instances": "toy:=2"}, "instances: "),
        ({"simulator": {"delay_window": 1.0}}, "simulator.pilot_steps: expected none, found 120"),
    ],
)
def test_another_dataset_is_not_gone_on_with(
    change: dict[str, Any], told: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=told):
        begin_dataset(folder, replace(card(), **change), JOBSHOP)


def test_foreign_folders(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty, and there is no dataset"):
        begin_dataset(tmp_path, card(), JOBSHOP)
    with pytest.raises(InputError, match="is a file; expected a folder"):
        begin_dataset(tmp_path / "notes.txt", card(), JOBSHOP)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
