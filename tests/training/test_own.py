"""One's own instances are trained on or validated on, never both, wherever a run goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.jobshop import DOMAIN
from graphsched.training.instances import InstanceSource
from graphsched.training.own import digest, own_pools, place
from graphsched.training.running.data import training_data, validation_data
from graphsched.training.running.resume import read_run_config
from graphsched.training.running.run import Run
from graphsched.training.settings.config import TrainConfig, ValidationConfig, load_config
from graphsched.training.train import resumed_config, train
from tests.training.runs import small_config, state_of, without_onnx

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write(folder: Path, seeds: Iterable[int], size: str = "4x3", copies: bool = False) -> Path:
    """A folder of random instances, named by their seeds; perhaps each under another name too."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        instance = DOMAIN.generators["uniform"](np.random.default_rng([seed, 99]), size)
        document = {**instance.to_json(), "name": f"order-{seed}"}
        (folder / f"{seed:03d}.json").write_text(json.dumps(document))
        if copies:
            document = dict(reversed({**document, "name": f"copy-{seed}"}.items()))
            (folder / f"{seed:03d}-copy.json").write_text(json.dumps(document, indent=3))
    return folder


def config_of(words: dict[str, float], **changes: Any) -> TrainConfig:
    """A configuration that trains and validates on the words."""
    return TrainConfig("jobshop", instances=words, **changes)


def test_both_sides_are_disjoint_and_copies_stay_together(tmp_path: Path) -> None:
    """About a fifth is held out, by the content alone."""
    folder = write(tmp_path / "own", range(100), copies=True)
    pools = own_pools(DOMAIN, config_of({str(folder): 1.0}))
    trained = {digest(i) for i in pools.training[str(folder)]}
    held = {digest(i) for i in pools.validation[str(folder)]}
    assert not trained & held
    assert len(trained) + len(held) == 100
    assert 8 <= len(held) <= 32
    assert pools.record["training"] == len(trained)
    assert pools.record["validation"] == len(held)
    # A copy is trained on twice, and judged by once.
    assert len(pools.training[str(folder)]) == 2 * len(trained)
    assert len(pools.validation[str(folder)]) == len(held)


def test_new_files_leave_the_others_where_they_are(tmp_path: Path) -> None:
    """Whatever else there is, and however the words name it."""
    folder = write(tmp_path / "own", range(40))
    before = own_pools(DOMAIN, config_of({str(folder): 1.0}))
    write(folder, range(40, 80))
    files = {str(file): 1.0 for file in sorted(folder.iterdir())}
    after = own_pools(DOMAIN, config_of(files))
    held = {digest(i) for pool in before.validation.values() for i in pool}
    assert held <= {digest(i) for pool in after.validation.values() for i in pool}
    trained = {digest(i) for pool in before.training.values() for i in pool}
    assert not trained & {digest(i) for pool in after.validation.values() for i in pool}


def test_overlapping_words_are_split_and_others_are_not(tmp_path: Path) -> None:
    """A copy in validation's own folder is on one side; what only one side names stays there."""
    both = write(tmp_path / "train", range(30))
    checks = write(tmp_path / "checks", range(20, 50))
    config = config_of({str(both): 1.0})
    config = replace(config, validation=replace(config.validation, instances={str(checks): 1.0}))
    pools = own_pools(DOMAIN, config)
    trained = {digest(i) for i in pools.training[str(both)]}
    held = {digest(i) for i in pools.validation[str(checks)]}
    assert not trained & held
    assert len(trained | held) == 50
    assert len(trained) >= 20
    assert len(held) >= 20


def test_a_library_set_and_a_name_with_weights() -> None:
    """Draws follow the weights and the seed; a generator beside them goes on as before."""
    config = config_of({"la:10x5": 3.0, "uniform:4x3": 1.0})
    pools = own_pools(DOMAIN, replace(config, validation=replace(config.validation, held_out=0.4)))
    source = InstanceSource(DOMAIN, config.instances, (), pools.training)
    drawn = [source(np.random.default_rng([5, i])) for i in range(200)]
    again = [source(np.random.default_rng([5, i])) for i in range(200)]
    assert [i.name for i in drawn] == [i.name for i in again]
    assert 130 <= sum(i.num_jobs == 10 for i in drawn) <= 170
    names = {i.name for i in drawn if i.num_jobs == 10}
    assert names == {i.name for i in pools.training["la:10x5"]}
    assert not names & {i.name for i in pools.validation["la:10x5"]}


@pytest.mark.parametrize("name", domain_names())
def test_the_name_is_no_part_of_the_hash_in_any_domain(name: str) -> None:
    """And all else is."""
    domain = get_domain(name)
    kind = next(kind for kind in domain.generators if kind != "toy")
    one, other = (domain.generators[kind](np.random.default_rng(i), "") for i in range(2))
    renamed = domain.instance_from_json({**one.to_json(), "name": "another"})
    assert digest(renamed) == digest(one) != digest(other)
    assert 0.0 <= place(digest(one)) < 1.0


def test_an_empty_side_says_what_would_do(tmp_path: Path) -> None:
    """One line with the share from which on there is an instance."""
    folder = write(tmp_path / "own", range(6))
    config = config_of({str(folder): 1.0})
    low, high = (replace(config.validation, held_out=share) for share in (1e-9, 1 - 1e-9))
    with pytest.raises(
        InputError, match=r"validation.instances: .* the 6 in .*held_out above 0"
    ) as e:
        own_pools(DOMAIN, replace(config, validation=low))
    share = float(str(e.value).split("above ")[1].split()[0]) + 1e-3
    own_pools(DOMAIN, replace(config, validation=replace(low, held_out=share)))
    with pytest.raises(InputError, match=r"^instances: expected an instance .*held_out up to 0"):
        own_pools(DOMAIN, replace(config, validation=high))
    for words in ({"ft06": 1.0}, {"ft06": 1.0, "uniform:4x4": 1.0}):
        with pytest.raises(InputError, match="name others for validation"):
            own_pools(DOMAIN, config_of(words))


def test_a_word_without_an_instance_on_a_side_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside others that have some; what only training names isn't held out at all."""
    few, many = write(tmp_path / "few", range(202, 204)), write(tmp_path / "many", range(40))
    with caplog.at_level("INFO", "graphsched"):
        pools = own_pools(DOMAIN, config_of({str(few): 1.0, str(many): 1.0}))
    sides = [len(pools.training[str(few)]), len(pools.validation[str(few)])]
    assert sorted(sides) == [0, 2]
    side = "training" if sides[0] == 0 else "validation"
    assert f"no instance of {few} fell to {side}" in caplog.text
    config = config_of({"ft06": 1.0})
    checks = replace(config.validation, instances={"uniform:4x4": 1.0})
    assert own_pools(DOMAIN, replace(config, validation=checks)).record["training"] == 1


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """No such word, an empty folder, a damaged file."""
    with pytest.raises(InputError, match="did you mean"):
        own_pools(DOMAIN, config_of({"uniforn:4x4": 1.0}))
    with pytest.raises(InputError, match="no such file or folder"):
        own_pools(DOMAIN, config_of({str(tmp_path / "nowhere"): 1.0}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: expected a folder with instances"):
        own_pools(DOMAIN, config_of({str(tmp_path / "empty"): 1.0}))
    folder = write(tmp_path / "own", range(3))
    (folder / "damaged.json").write_text("{")
    with pytest.raises(InputError, match=r"damaged\.json: expected JSON"):
        own_pools(DOMAIN, config_of({str(folder): 1.0}))


def test_paths_start_where_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a TOML file at its folder, elsewhere at the working directory; a run keeps them whole."""
    write(tmp_path / "a" / "own", range(12))
    write(tmp_path / "b" / "own", range(12))
    file = tmp_path / "a" / "mine.toml"
    text = '[instances]\n"own" = 1\n"json@./own/000.json" = 2\n"la01-la05" = 1\n"mixed:4x4" = 1\n'
    file.write_text(text + '[validation]\ninstances = { "own/" = 1 }\n')
    monkeypatch.chdir(tmp_path / "b")
    config = load_config("jobshop", "small", file)
    own = tmp_path / "a" / "own"
    assert list(config.instances) == [str(own), f"json@{own}/000.json", "la01-la05", "mixed:4x4"]
    assert list(config.validation.instances) == [str(own)]
    config = load_config("jobshop", "small", None, {"instances": {"own": 1, "./own": 1}})
    assert config.instances == {str(tmp_path / "b" / "own"): 2.0}


def test_a_run_goes_on_from_elsewhere_with_the_same_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not with others. The card tells both counts, and no place on this machine."""
    write(tmp_path / "here" / "own", range(30))
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    without_onnx(monkeypatch)
    checks = {"instances": {"own": 1.0}, "held_out": 0.3}
    config = small_config(tmp_path / "run", instances={"own": 1.0}, validation=checks, steps=300)
    first = train(config)
    monkeypatch.chdir(tmp_path / "there")
    kept = read_run_config(tmp_path / "run")
    assert kept.own["training"] + kept.own["validation"] == 30
    assert len(Run(kept, tmp_path / "run").validation.instances) == kept.own["validation"]
    result = train(resumed_config(tmp_path / "run", steps=600), resume=True)
    assert result.history[: len(first.history)] == first.history
    held = {digest(i) for i in Run(kept, tmp_path / "run").validation.instances}
    slots = state_of(tmp_path / "run")["training"]["env"]["sim"]["instances"]
    found = {digest(DOMAIN.instance_from_json(i)) for i in slots}
    assert found
    assert not found & held
    bundle = read_bundle(result.bundle)
    card = (result.bundle / "README.md").read_text()
    counts = f"{kept.own['training']} for training, {kept.own['validation']} for validation only"
    assert counts in card
    assert "No benchmark instance by name was seen" in card
    assert bundle.metrics["own"] == kept.own == bundle.config["training"]["own"]
    for text in (card, json.dumps(bundle.metrics), json.dumps(bundle.config)):
        assert str(tmp_path) not in text
    (tmp_path / "here" / "own" / "007.json").unlink()
    with pytest.raises(InputError, match="expected the instances that the run began with"):
        train(resumed_config(tmp_path / "run", steps=900), resume=True, export=False)


def test_a_card_tells_what_is_so(tmp_path: Path) -> None:
    """Library instances by their names, files by theirs alone, and two of one name apart."""
    one, other = (write(tmp_path / part / "own", range(3)) for part in "ab")
    config = config_of({"la01": 1.0, str(one): 1.0, str(other): 2.0})
    config = replace(config, own=own_pools(DOMAIN, replace(config, validation=_apart())).record)
    told = training_data(replace(config, validation=_apart()))
    assert "`la01` (25%), `own` (25%), `own (2)` (50%)" in told
    assert "Instances of the library were seen: `la01`." in told
    assert "4 for training, 0 for validation only" in told
    assert str(tmp_path) not in told
    checks = validation_data(replace(config, validation=_apart()))
    assert (
        checks
        == "8 random instances of each kind (`uniform:4x4` (100%)), apart from the training stream"
    )
    assert "No benchmark instance was seen" in training_data(config_of({"uniform:4x4": 1.0}))


def _apart() -> ValidationConfig:
    return ValidationConfig(instances={"uniform:4x4": 1.0})
