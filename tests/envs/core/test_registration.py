"""Discovery: ids of all domains with Gymnasium, those of other packages by their entry point."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import gymnasium
import pytest

from graphsched.envs.core.gym.registration import register_domains
from graphsched.envs.core.registry import domain_names, get_domain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def install(folder: Path, points: dict[str, str]) -> None:
    """Make a folder look like site-packages with a package that has these entry points."""
    info = folder / "another_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another-package\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[graphsched.domains]", *lines]) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, with discovery and Gymnasium's registry restored afterwards."""
    before = dict(gymnasium.registry)
    monkeypatch.syspath_prepend(str(tmp_path))
    for cached in (domain_names, get_domain):
        cached.cache_clear()
    yield tmp_path
    for cached in (domain_names, get_domain):
        cached.cache_clear()
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def test_every_domain_of_the_package_is_registered_under_its_id() -> None:
    """Ids are read from the source; they must be those of the domains."""
    for name in domain_names():
        spec = gymnasium.spec(get_domain(name).env_id)
        assert spec.kwargs == {"domain": name}


def test_importing_the_package_imports_no_domain() -> None:
    """Neither numba nor torch is loaded by ``import graphsched``."""
    code = """
import graphsched, gymnasium, sys
assert "JobShop-v0" in gymnasium.registry
print(sorted({"numba", "torch", "matplotlib"} & sys.modules.keys()))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_domain_of_another_package(site: Path) -> None:
    """Found by its entry point, it is as good as a built-in one."""
    install(site, {"crew": "tests.toy_domain:DOMAIN"})
    assert "crew" in domain_names()
    assert get_domain("crew").env_id == "Crew-v0"
    register_domains()
    env = gymnasium.make("Crew-v0", instance="q03")
    env.reset(seed=0)
    vector = gymnasium.make_vec("Crew-v0", num_envs=2)
    assert vector.num_envs == 2


def test_id_that_is_not_written_in_the_source_is_asked_for(site: Path) -> None:
    """A package may build its domain as it likes."""
    (site / "built_domain.py").write_text(
        "from dataclasses import replace\n"
        "from tests.toy_domain import DOMAIN as CREW\n"
        "number = 7\n"
        "DOMAIN = replace(CREW, name='built', env_id=f'Built-v{number}')\n"
    )
    install(site, {"built": "built_domain:DOMAIN"})
    register_domains()
    assert gymnasium.spec("Built-v7").kwargs == {"domain": "built"}


def test_broken_package_is_skipped_with_a_warning(site: Path) -> None:
    """It must not break everything else."""
    install(site, {"ghost": "there_is_no_such_module:DOMAIN"})
    with pytest.warns(UserWarning, match="skips the domain 'ghost'"):
        register_domains()
    assert "JobShop-v0" in gymnasium.registry


def test_registering_twice_changes_nothing() -> None:
    """Importing again, or in a reloaded module, raises no complaint of overriding."""
    before = dict(gymnasium.registry)
    register_domains()
    assert gymnasium.registry == before
