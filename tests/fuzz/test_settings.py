"""Whatever stands in settings and words of the command line, they are taken or refused by one line."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from graphsched.cli.arguments import put_change
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.envs.core.specs import parse_instance
from graphsched.envs.core.suites import open_suite
from graphsched.eval.solvers.words import parse_word
from graphsched.training.settings.config import TrainConfig, load_config
from tests.fuzz.judging import fuzz, judged, rngs
from tests.fuzz.spoiling import spoiled_text

if TYPE_CHECKING:
    import random

SETTINGS = b"""seed = 3
minutes = 0.5
checkpoint_every = 0.1
device = "cpu"

[instances]
"toy:" = 1.0

[[curriculum]]
start = 0.5
instances = {"toy:" = 2.0}

[network]
width = 8

[ppo]
mode = "steps"
lr_table = [1.0, 0.5]
gamma = 0.99

[validation]
count = 2
"""
CHANGES = (
    "ppo.gamma=0.5",
    "instances={'toy:' = 1.0}",
    "ppo.lr_table=[1.0, 0.5]",
    "network.width=8",
    "device=cpu",
    "simulator.x=1",
)
SUITE = b"""summary = "words"
policy = "none"
baselines = "rules"
reference = ""

[shifts]
"none" = "toy"
"more" = "toy:n=2:seed=7"
"""
WORDS = (
    "spt", "cem-linear@64+reverse>tabu@1s", "a@2&b+reverse", "none", "heft>local-search@0.5s",
    "rules", "sarathi@8",
)  # fmt: skip
INSTANCES = {
    "jobshop": ("ft06", "la01-la03", "random:3x2:n=2:seed=7", "taillard:15x15", "./x.txt"),
}


def _typed(text: bytes) -> bytes:
    """Without words longer than a person types."""
    return re.sub(rb"(\S{100})\S+", rb"\1", text)


@pytest.mark.parametrize("name", domain_names())
@fuzz(few=20)
@given(rng=rngs)
def test_spoiled_settings_are_taken_or_refused(name: str, rng: random.Random) -> None:
    preset = next(iter(get_domain(name).preset_tables()["train"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_bytes(_typed(spoiled_text(SETTINGS, rng)))
        config = judged(lambda: load_config(name, preset, path), str(path))
    if config is not None:
        assert TrainConfig.from_dict(config.to_dict()) == config


@fuzz(few=50)
@given(rng=rngs)
def test_spoiled_overrides_are_taken_or_refused(rng: random.Random) -> None:
    word = _typed(spoiled_text(rng.choice(CHANGES).encode(), rng)).decode(errors="replace")

    def read() -> TrainConfig:
        table: dict[str, object] = {}
        put_change(table, word)
        return load_config("jobshop", None, None, table)

    judged(read, "")


@pytest.mark.parametrize("name", domain_names())
@fuzz(few=20)
@given(rng=rngs)
def test_spoiled_suites_are_read_or_refused(name: str, rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suite.toml"
        path.write_bytes(spoiled_text(SUITE, rng))
        judged(lambda: open_suite(get_domain(name), str(path)), str(path))


@fuzz(few=200)
@given(rng=rngs)
def test_spoiled_words_of_contenders_are_read_or_refused(rng: random.Random) -> None:
    text = _typed(spoiled_text(rng.choice(WORDS).encode(), rng)).decode(errors="replace")
    judged(lambda: parse_word(text), "")


@pytest.mark.parametrize("name", domain_names())
@fuzz(few=20)
@given(rng=rngs)
def test_spoiled_words_of_instances_are_read_or_refused(name: str, rng: random.Random) -> None:
    domain = get_domain(name)
    sets = [f"{word}:n=1:seed=7" for word in (*domain.generators, "toy")]
    good = rng.choice([*INSTANCES.get(name, ()), *sets])
    text = _typed(spoiled_text(good.encode(), rng)).decode(errors="replace")[:80]
    judged(lambda: parse_instance(domain, text), "")
