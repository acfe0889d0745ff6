"""The house stays one that a newcomer finds the way in: small folders, the same top in every domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsched.envs.core.registry import domain_names

ROOT = Path(__file__).parents[1]
PLACES = ("envs", "agents", "training", "eval", "graphsched/cli")
MOST = 14  # Python files of a folder, its __init__ included
EVERY = {
    *("instance", "solution", "options", "generators", "library", "readers"),
    *("checker", "bounds", "features", "simulator", "render", "bench"),
}
SOME = {"metrics"}


@pytest.mark.parametrize("place", PLACES)
def test_folders_are_small(place):
    counts = {
        folder.relative_to(ROOT): len(list(folder.glob("*.py")))
        for folder in [ROOT / place, *(ROOT / place).rglob("*/")]
        if "__pycache__" not in folder.parts
    }
    assert not {folder: count for folder, count in counts.items() if count > MOST}


@pytest.mark.parametrize(
    "name", [name for name in domain_names() if (ROOT / "envs" / name).is_dir()]
)
def test_every_domain_has_the_same_top(name):
    folder = ROOT / "envs" / name
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules - SOME == EVERY
    assert (folder / "README.md").is_file()
    assert (folder / "presets.toml").is_file()
