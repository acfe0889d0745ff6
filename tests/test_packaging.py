"""The wheel holds everything once, under one name, whichever way it is built."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import graphsched

ROOT = Path(__file__).parents[1]
FOLDERS = ("agents", "checkpoints", "envs", "eval", "training")
SOURCES = (*FOLDERS, "graphsched", "LICENSE", "README.md", "pyproject.toml", "setup.py")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, so that no build folder left in the tree is packed."""
    target = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(source, target / name)
    return target


def _build(tree: Path, kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(tree)], check=True, capture_output=True)
    (built,) = (p for p in out.iterdir() if p.suffix in {".gz", ".whl"})
    return built


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the tree."""
    return _build(tree, "wheel", tmp_path_factory.mktemp("wheel"))


def _files(wheel: Path) -> list[str]:
    return [name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")]


def test_wheel_holds_one_top_level_package(wheel: Path) -> None:
    top = {PurePosixPath(name).parts[0] for name in _files(wheel)}
    assert top == {"graphsched", f"graphsched-{graphsched.__version__}.dist-info"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_wheel_holds_every_source_file_of_a_folder_once(
    wheel: Path, tree: Path, folder: str
) -> None:
    packed = [name for name in _files(wheel) if name.startswith(f"graphsched/{folder}/")]
    sources = [p for p in (tree / folder).rglob("*") if p.is_file()]
    assert sorted(packed) == sorted(f"graphsched/{p.relative_to(tree).as_posix()}" for p in sources)


def test_wheel_is_typed_licensed_and_has_the_command(wheel: Path) -> None:
    files = _files(wheel)
    assert "graphsched/py.typed" in files
    assert any(name.endswith("licenses/LICENSE") for name in files)
    (entry_points,) = (name for name in files if name.endswith("entry_points.txt"))
    text = zipfile.ZipFile(wheel).read(entry_points).decode()
    assert "graphsched = graphsched.cli.main:main" in text


def test_wheel_of_the_source_distribution_is_the_same(
    wheel: Path, tree: Path, tmp_path: Path
) -> None:
    source = _build(tree, "sdist", tmp_path / "sdist")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert _files(_build(unpacked, "wheel", tmp_path / "wheel")) == _files(wheel)


def test_version_is_written_in_two_places_alike() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == graphsched.__version__


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {_bare(r) for r in [*project["dependencies"], *(r for e in extras for r in e)]}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    wanted.discard("graphsched")  # the extra `all` names the others
    pinned = {line.split("==")[0] for line in lines if "==" in line and not line.startswith("#")}
    assert wanted - pinned == set()


def _bare(requirement: str) -> str:
    return requirement.split(">=")[0].split("[")[0]


def test_simulation_is_imported_without_torch() -> None:
    code = (
        "import sys, graphsched, graphsched.envs.jobshop, graphsched.agents.runtime;"
        "sys.exit(not {'torch', 'stable_baselines3'}.isdisjoint(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
