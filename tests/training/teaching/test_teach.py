"""Teaching: instances and solutions become episodes whose actions lead where the card says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.running.data import without_places
from graphsched.training.settings.config import TeacherConfig, TrainConfig
from graphsched.training.teaching.dataset import CARD, read_dataset
from graphsched.training.teaching.replay import replay
from graphsched.training.teaching.teach import Lesson, Teacher, teach

if TYPE_CHECKING:
    from pathlib import Path

JOBSHOP = get_domain("jobshop")
KINDS = {"uniform:4x3": 3.0, "irregular:4x3": 1.0}


def lesson(**changes: Any) -> Lesson:
    """A small one."""
    given = Lesson(
        JOBSHOP, JOBSHOP.options(delay_window=1.0), "fifo", kinds=KINDS, count=7, shard=3
    )
    return replace(given, **changes)


def taught(folder: Path, asked: Lesson) -> dict[str, Any]:
    """Teach; the card as it is written."""
    teach(asked, Teacher(asked), folder)
    found: dict[str, Any] = json.loads((folder / CARD).read_text())
    return found


def without_time(card: dict[str, Any]) -> dict[str, Any]:
    """All of a card that doesn't depend on the clock."""
    card["quality"].pop("seconds")
    for shard in card["shards"]:
        shard.pop("seconds")
    return card


def test_the_card_says_what_the_episodes_are(tmp_path: Path) -> None:
    asked = lesson()
    card = taught(tmp_path, asked)
    assert [shard["episodes"] for shard in card["shards"]] == [3, 3, 1]
    assert (card["teacher"], card["time_limit_s"], card["count"]) == ("fifo", None, 7)
    assert card["instances"] == "uniform:4x3=3,irregular:4x3=1"
    assert card["versions"]["numpy"] == np.__version__
    _, episodes = read_dataset(tmp_path, JOBSHOP, asked.options)
    replay(JOBSHOP, asked.options, episodes)  # complains unless actions lead to the costs
    gaps, teachers = [], []
    for episode in episodes:
        bound = JOBSHOP.lower_bound(episode.instance)
        solution = JOBSHOP.baseline("fifo")(episode.instance)
        gaps.append(100 * (episode.cost / bound - 1))
        teachers.append(100 * (solution.makespan / bound - 1))
    quality = card["quality"]
    assert quality["replay_gap_pct"] == pytest.approx(np.mean(gaps))
    assert quality["teacher_gap_pct"] == pytest.approx(np.mean(teachers))
    assert quality["decisions"] == sum(len(episode.actions) for episode in episodes)
    assert len({json.dumps(e.instance.to_json()) for e in episodes}) == 7


def test_the_same_again_is_the_same(tmp_path: Path) -> None:
    """And another seed is something else."""
    first, again = taught(tmp_path / "a", lesson()), taught(tmp_path / "b", lesson())
    assert without_time(first) == without_time(again)
    other = taught(tmp_path / "c", lesson(seed=1))
    assert first["shards"][0]["sha256"] != other["shards"][0]["sha256"]


@pytest.mark.parametrize("stop", [0, 2, 4, 6])
def test_an_interrupted_one_goes_on_to_the_same_bytes(stop: int, tmp_path: Path) -> None:
    """Wherever it stopped: whole shards stay, the one in progress is made again."""
    asked = lesson()
    whole = taught(tmp_path / "whole", asked)
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        if len(told) > stop:
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        teach(asked, Teacher(asked), folder, tell)
    begun = json.loads((folder / CARD).read_text())
    assert sum(shard["episodes"] for shard in begun["shards"]) == stop // 3 * 3
    with pytest.raises(InputError, match="it is not finished"):
        read_dataset(folder, JOBSHOP, asked.options)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*")}
    assert without_time(taught(folder, asked)) == without_time(whole)
    for path in (tmp_path / "whole").glob("shard-*"):
        assert path.read_bytes() == (folder / path.name).read_bytes()
    for name, written in before.items():
        assert (folder / name).stat().st_mtime_ns == written


def test_given_instances_are_taken_in_their_order(tmp_path: Path) -> None:
    instances = [JOBSHOP.generators["uniform"](np.random.default_rng(i), "3x3") for i in range(4)]
    asked = lesson(given=instances, spec="mine", count=3)
    card = taught(tmp_path, asked)
    assert card["instances"].startswith("mine (SHA-256 ")
    _, episodes = read_dataset(tmp_path, JOBSHOP, asked.options)
    assert [e.instance.to_json() for e in episodes] == [i.to_json() for i in instances[:3]]
    changed = replace(asked, given=instances[::-1])
    with pytest.raises(InputError, match="instances: the dataset there has"):
        teach(changed, Teacher(changed), tmp_path)


def test_a_teacher_with_a_limit_of_its_own(tmp_path: Path) -> None:
    card = taught(tmp_path, lesson(solver="tabu@0.02s", count=2))
    assert (card["teacher"], card["time_limit_s"]) == ("tabu@0.02s", 0.02)


@pytest.mark.parametrize(("name", "kind"), [("soc", "random:8x3@1"), ("memory", "chain:1@8")])
def test_other_domains(name: str, kind: str, tmp_path: Path) -> None:
    domain = get_domain(name)
    solver = {"soc": "heft", "memory": "best-of-orders"}[name]
    asked = Lesson(domain, domain.options(), solver, kinds={kind: 1.0}, count=2)
    teach(asked, Teacher(asked), tmp_path)
    examples = replay(domain, asked.options, read_dataset(tmp_path, domain, asked.options)[1])
    assert len(examples) > 0


def test_an_instance_without_decisions(tmp_path: Path) -> None:
    """Nothing of it is worth a place in fast memory: an episode of no actions."""
    memory = get_domain("memory")
    asked = Lesson(memory, memory.options(), "all-slow", kinds={"chain:1@8": 1.0}, count=1, seed=1)
    card = teach(asked, Teacher(asked), tmp_path)
    _, episodes = read_dataset(tmp_path, memory, asked.options)
    assert [len(e.actions) for e in episodes] == [0]
    assert card.quality["decisions"] == len(replay(memory, asked.options, episodes)) == 0


def test_an_infeasible_teacher_is_no_teacher(tmp_path: Path) -> None:
    """Its solutions are checked before anybody learns from them."""
    asked = lesson()
    teacher = Teacher(asked)
    good = teacher._solve
    teacher._solve = lambda instance: replace(good(instance), makespan=1)
    with pytest.raises(InputError, match=r"fifo: its solution of .* is infeasible"):
        teach(asked, teacher, tmp_path / "x")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"count": 0}, "--count: expected 1 to"),
        ({"count": 10**7}, "--count: expected 1 to"),
        ({"seed": -1}, "--seed: expected at least 0"),
        ({"solver": "tubu"}, "baseline 'tubu'"),
        ({"kinds": {"nothing:3": 1.0}}, "no generator 'nothing'"),
        ({"time_limit_s": 0.0}, "--time-limit"),
        ({"domain": get_domain("batching")}, "domain 'batching': solutions don't tell"),
    ],
)
def test_what_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Teacher(lesson(**change))


def test_what_can_not_be_followed_is_told_at_once(tmp_path: Path) -> None:
    """After the first solution, not after a shard of them."""
    soc = get_domain("soc")
    asked = Lesson(soc, soc.options(), "met", kinds={"ds3gym:0@300": 1.0}, count=5)
    told: list[str] = []
    with pytest.raises(InputError, match="a stream"):
        teach(asked, Teacher(asked), tmp_path, told.append)
    assert told == []


def test_a_bundle_calls_its_teachers_by_their_names(tmp_path: Path) -> None:
    """Where datasets lay is nothing for others to know."""
    config = TrainConfig(
        domain="jobshop", steps=1, teacher=TeacherConfig(data=(str(tmp_path / "a"),))
    )
    assert without_places(config, config.to_dict())["teacher"]["data"] == ["a"]
    plain = TrainConfig(domain="jobshop", steps=1)
    assert without_places(plain, plain.to_dict())["teacher"] == plain.to_dict()["teacher"]
