"""A policy's own episodes carry what a teacher would have done at each of its decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.agents.decoding.search import policy_solver
from graphsched.agents.runtime import load_policy
from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.config import TrainConfig
from graphsched.training.settings.start import with_start
from graphsched.training.teaching.dataset import CARD, read_dataset
from graphsched.training.teaching.relabel import Relabelling, relabel
from graphsched.training.teaching.replay import replay
from graphsched.training.teaching.teach import Lesson, Teacher, teach
from graphsched.training.train import resumed_config, train
from tests.training.runs import scalars, small_config, state_of, train_and_kill, without_onnx

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.agents.runtime import Policy
    from graphsched.training.teaching.dataset import Episode

JOBSHOP = get_domain("jobshop")


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The shipped one."""
    return load_policy("default", "jobshop")


def labelled(policy: Policy, rule: str, moves: int, number: int = 6) -> tuple[list[Episode], int]:
    """Episodes on small shops, the teacher setting out from a rule's solutions."""
    rng = np.random.default_rng(1)
    instances = [JOBSHOP.generators["uniform"](rng, "6x5") for _ in range(number)]
    solve = JOBSHOP.baseline(rule, SolverOptions(time_limit_s=0.02))
    solutions = [solve(instance) for instance in instances]
    how = Relabelling(policy, moves)
    options = policy.simulator_options
    return relabel(JOBSHOP, options, how, instances, solutions, range(number))


def test_episodes_are_the_policys_own_and_can_be_replayed(policy: Policy) -> None:
    episodes, departures = labelled(policy, "mwkr", 100)
    examples = replay(JOBSHOP, policy.simulator_options, episodes)
    assert len(examples) > 50
    for episode in episodes:
        own = policy_solver(JOBSHOP, policy)(episode.instance)
        assert JOBSHOP.cost(episode.instance, own) == episode.cost
    soft = (examples.targets > 0) & (examples.targets < 1)
    assert 0 < departures < len(examples)
    assert soft.any()


def test_a_teacher_that_is_worse_than_the_policy_leaves_the_policys_choices(policy: Policy) -> None:
    """Without a search, departing from a poor solution costs little or gains."""
    poor, _ = labelled(policy, "spt", 0)
    good, _ = labelled(policy, "tabu", 500)

    def share(episodes: list[Episode]) -> float:
        examples = replay(JOBSHOP, policy.simulator_options, episodes)
        first = examples.obs["candidate_ptr"][:-1]
        taken = np.concatenate([e.actions for e in episodes])
        assert len(taken) == len(first)
        own = examples.targets[first + taken]
        return float((own > 0.5).mean())

    assert share(poor) > 0
    assert share(good) < 1


def test_datasets_of_a_policys_episodes(policy: Policy, tmp_path: Path) -> None:
    lesson = Lesson(
        JOBSHOP,
        policy.simulator_options,
        "mwkr",
        kinds={"uniform:5x4": 1.0},
        count=4,
        shard=2,
        relabelling=Relabelling(policy, 50),
    )
    teach(lesson, Teacher(lesson), tmp_path / "data")
    card, episodes = read_dataset(tmp_path / "data", JOBSHOP, policy.simulator_options)
    assert card.policy is not None
    assert "50 moves" in card.policy
    assert len(episodes) == 4
    assert all(e.targets is not None for e in episodes)
    replay(JOBSHOP, policy.simulator_options, episodes)
    other = Lesson(**{**lesson.__dict__, "relabelling": Relabelling(policy, 51)})
    with pytest.raises(InputError, match="policy: the dataset there has"):
        teach(other, Teacher(other), tmp_path / "data")


def test_what_is_refused(policy: Policy) -> None:
    with pytest.raises(InputError, match="--moves: expected 0"):
        Relabelling(policy, -1)
    with pytest.raises(InputError, match=r"no `Domain.finish`"):
        Relabelling(load_policy("static", "soc"))


def run_config(tmp_path: Path, **changes: Any) -> Any:
    """A run that imitates a rule, and nothing else."""
    folder = tmp_path / "data"
    if not folder.exists():
        lesson = Lesson(
            JOBSHOP, JOBSHOP.options(), "tail", kinds={"uniform:5x4": 1.0}, count=20, shard=10
        )
        teach(lesson, Teacher(lesson), folder)
    teacher = {"data": [str(folder)], "epochs": 3, "batch_size": 64, "learning_rate": 0.01}
    return small_config(tmp_path / "run", **{"teacher": teacher, "steps": 0, **changes})


def test_a_run_imitates_first(tmp_path: Path) -> None:
    """Alone it makes a bundle; what was imitated is on record."""
    result = train(run_config(tmp_path))
    assert result.steps == 0
    assert [row["steps"] for row in result.history] == [0]
    document = json.loads((tmp_path / "run" / "imitation.json").read_text())
    losses = document["cross_entropy"]
    assert losses[-1] < losses[0]
    assert document["teachers"][0]["episodes"] == 20
    policy = load_policy(result.bundle)
    assert policy.domain.name == "jobshop"
    assert policy.metrics["teachers"] == document["teachers"]
    card = (result.bundle / "README.md").read_text()
    assert "* Teacher: `tail` (20 episodes" in card
    assert str(tmp_path) not in card + json.dumps(policy.metrics)
    later = with_start(TrainConfig(domain="jobshop", steps=1, init=str(result.bundle)))
    assert later.init_record["teachers"] == document["teachers"]


def test_what_a_teacher_brought_is_told_against_the_rule_before_it(tmp_path: Path) -> None:
    """The card once compared what had been taught with itself, and said: no improvement."""
    rule = {"linear_rule": "data/cem_linear.json", "linear_scale": 0.1}
    changes = {"network": rule, "validation": {"count": 20}}
    result = train(run_config(tmp_path, **changes), export=False)
    start = train(small_config(tmp_path / "rule", **changes, steps=0), export=False)
    assert result.gain is not None
    found = start.best["gap_pct"] - result.best["gap_pct"]
    assert result.gain.pct == pytest.approx(found)
    assert found != 0.0


def test_a_run_goes_on_from_what_it_imitated(tmp_path: Path) -> None:
    result = train(run_config(tmp_path, steps=500), export=False)
    assert result.steps >= 500
    assert result.history[0]["steps"] == 0
    alone = small_config(
        tmp_path / "alone", teacher=run_config(tmp_path).to_dict()["teacher"], steps=0
    )
    assert result.history[0]["gap_pct"] == train(alone, export=False).history[0]["gap_pct"]


def test_no_steps_without_a_teacher_leave_what_the_run_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_onnx(monkeypatch)
    result = train(run_config(tmp_path, teacher={}))
    assert result.steps == 0
    assert read_bundle(result.bundle).config["domain"] == "jobshop"


@pytest.mark.parametrize("damage", ["options", "cut", "gone"])
def test_a_teacher_that_does_not_fit_costs_nothing(damage: str, tmp_path: Path) -> None:
    """One line; the folder of the run is as it was."""
    config = run_config(tmp_path)
    data = tmp_path / "data"
    if damage == "options":
        config = run_config(tmp_path, simulator={"delay_window": 0.7})
    elif damage == "cut":
        (data / "shard-00001.json.gz").unlink()
    else:
        (data / CARD).unlink()
    with pytest.raises(InputError) as caught:
        train(config)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_teacher_is_remembered_while_it_fades(tmp_path: Path) -> None:
    """Its term is in the loss at first, and falls to nothing; resuming gives the same weights."""
    data = {"data": [str(tmp_path / "data")], "epochs": 1, "batch_size": 64, "coef": 0.5}
    changes: dict[str, Any] = {"steps": 2_000, "teacher": {**data, "fade": 0.6}}
    run_config(tmp_path)  # writes the data
    whole = small_config(tmp_path / "whole", **changes)
    train(whole, export=False)
    losses = scalars(tmp_path / "whole", "train/teacher_loss")
    assert losses
    assert losses[-1] < losses[0]
    assert len(losses) < len(scalars(tmp_path / "whole", "train/logprob_error"))
    without: dict[str, Any] = {"steps": 300, "teacher": {**data, "coef": 0.0}}
    train(small_config(tmp_path / "without", **without), export=False)
    assert not scalars(tmp_path / "without", "train/teacher_loss")
    parts = small_config(tmp_path / "parts", **changes)
    train_and_kill(parts, lambda folder: (folder / "checkpoint").exists())
    train(resumed_config(tmp_path / "parts"), resume=True, export=False)
    weights = [state_of(tmp_path / name)["policy"] for name in ("whole", "parts")]
    assert all((weights[0][k] == weights[1][k]).all() for k in weights[0])


def test_a_bundle_is_taught_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that starts from a bundle and has teachers fits the bundle's own network."""
    without_onnx(monkeypatch)
    first = train(run_config(tmp_path))
    data = {"data": [str(tmp_path / "data")], "epochs": 1, "learning_rate": 1e-9, "members": 2}
    again = TrainConfig.from_dict(
        {
            "domain": "jobshop",
            "steps": 0,
            "init": str(first.bundle),
            "teacher": data,
            "validation": {"instances": {"uniform:5x4": 1.0}, "count": 4},
            "out": str(tmp_path / "again"),
        }
    )
    assert train(again, export=False).best["gap_pct"] == pytest.approx(first.best["gap_pct"])


@pytest.mark.parametrize(("members", "width"), [(3, 8), (2, 8)])
def test_members_need_a_width_to_share_and_no_embeddings(members: int, width: int) -> None:
    tables: dict[str, Any] = {"teacher": {"data": ["x"], "members": members}}
    tables["network"] = {"decoder_width": width, "embeddings": members == 2}
    with pytest.raises(InputError, match=r"teacher.members: expected 1, or a divisor"):
        TrainConfig.from_dict({"domain": "jobshop", "steps": 1, **tables})
