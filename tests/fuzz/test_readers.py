"""Whatever stands in a file, every reader reads an instance or refuses it by one line.

`GRAPHSCHED_FUZZ` is the number of files for each test here, instead of a few.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given

from graphsched.envs.batching.hardware.iteration_time import linear_table
from graphsched.envs.core.parts.linear import load_weights, save_weights
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.eval.allocation.instance import read_minimalloc
from tests.fuzz.judging import comes_back, fuzz, judged, rngs
from tests.fuzz.seeds import FOREIGN, Seed, seeds, write
from tests.fuzz.spoiling import spoiled

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

READERS = [f"{name}:{reader}" for name in domain_names() for reader in get_domain(name).readers]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_every_foreign_format_has_a_good_file() -> None:
    """A format that nobody gave a file for would be tried with those of another alone."""
    own = ("auto", "json")
    for name in FOREIGN:
        assert {*get_domain(name).readers} == {*own, *FOREIGN[name]}


@pytest.mark.parametrize("word", READERS)
def test_good_files_are_read(folder: Path, word: str) -> None:
    name, _, reader = word.partition(":")
    for seed in seeds(name, reader):
        instance = get_domain(name).readers[reader](write(folder, seed))
        comes_back(get_domain(name), instance)


@pytest.mark.parametrize("word", READERS)
@fuzz(few=100)
@given(rng=rngs)
def test_spoiled_files_are_read_or_refused(folder: Path, word: str, rng: random.Random) -> None:
    name, _, reader = word.partition(":")
    domain = get_domain(name)
    seed = _spoiled(rng.choice(seeds(name, reader)), rng)
    path = write(folder, seed)
    instance = judged(
        lambda: domain.readers[reader](path), str(folder) if seed.beside else str(path)
    )
    if instance is not None:
        comes_back(domain, instance)


def _spoiled(seed: Seed, rng: random.Random) -> Seed:
    """One of the files is."""
    if seed.beside and rng.random() < 0.5:
        name, data = rng.choice(seed.beside)
        return seed._replace(beside=((name, spoiled(data, rng)),))
    return seed._replace(data=spoiled(seed.data, rng))


def _allocation(path: Path) -> None:
    found = read_minimalloc(path)
    assert 0 <= found.max_load < 2**63


def _profile(path: Path) -> None:
    linear_table.cache_clear()  # which knows files by their names
    table = linear_table(str(path), "llama-3-8b")
    assert np.isfinite(table).all()
    assert (table >= 0).all()


def _weights(path: Path) -> None:
    weights, _ = load_weights(SCHEMA, path)
    assert np.isfinite(weights).all()


SCHEMA = get_domain("jobshop").schema
OTHERS: dict[str, tuple[Callable[[Path], None], Seed]] = {
    "allocation": (
        _allocation,
        Seed("a.12.csv", b"id,lower,upper,size\nb1,0,3,4\nb2,3,9,4\nb3,0,9,4\n"),
    ),
    "profile": (
        _profile,
        Seed("p.csv", b"tokens,linear_ms\n8,1.5\n64,2.5\n8192,40\n"),
    ),
    "weights": (
        _weights,
        Seed("w.json", save_weights(SCHEMA, np.ones(len(SCHEMA.candidate), np.float32)).encode()),
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
@fuzz(few=100)
@given(rng=rngs)
def test_other_files_are_read_or_refused(folder: Path, kind: str, rng: random.Random) -> None:
    read, seed = OTHERS[kind]
    read(write(folder, seed))
    path = write(folder, _spoiled(seed, rng))
    judged(lambda: read(path), str(path))
