"""Datasets of episodes: a folder with a card and shards, written whole and read strictly."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    check_names,
    integer_row,
    number_row,
    read_integer,
    read_list,
    read_number,
)
from graphsched.envs.core.parts.options import seen_only
from graphsched.envs.core.parts.reading import MIB, read_object, within
from graphsched.envs.core.parts.writing import json_text, prepare_folder, write_files, write_json
from graphsched.training.teaching.card import (
    Card,
    Shard,
    check_same,
    check_simulator,
    is_shard,
    options_table,
    read_card,
    shard_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain

CARD = "card.json"
SCHEMA = 1  # of shards
MOST_BYTES = 256 * MIB  # of a shard, unpacked
MOST_CARD_BYTES = 16 * MIB
MOST_ACTION = 2**31
MOST = 1e6  # cost of a candidate as a share of the usual
LOCK = ".lock"
OPTIONAL = ("targets", "tried", "costs")


@dataclass(frozen=True, eq=False)
class Episode:
    """What a policy shall learn to do with an instance.

    Attributes:
        instance: that is solved.
        seed: of the episode, as `BatchSim.reset` takes it.
        actions: (D,) int64, the candidate taken at each decision.
        targets: (candidates of all decisions,) float32, each decision's probabilities over its
            candidates, one decision after another; None: all on the actions.
        cost: that the actions lead to.
        tried: (T,) int64, rising: decisions whose candidates were tried out; None: none were. What
            there is to learn of such an episode are these decisions alone.
        costs: (candidates of all decisions tried,) float32, one decision after another: what each
            would have cost more than the action taken, as a share of the usual cost.
        where: the place that it was read from, for messages; none if it was made here.
    """

    instance: Any
    seed: int
    actions: NDArray[np.int64]
    targets: NDArray[np.float32] | None
    cost: float
    tried: NDArray[np.int64] | None = None
    costs: NDArray[np.float32] | None = None
    where: str = ""

    def to_json(self) -> dict[str, Any]:
        """A document that `read_dataset` reads back."""
        document = {"instance": self.instance.to_json(), "seed": self.seed, "cost": self.cost}
        document["actions"] = self.actions.tolist()
        if self.targets is not None:  # nine digits are enough for any float32
            document["targets"] = [float(f"{value:.9g}") for value in self.targets.tolist()]
        if self.tried is not None and self.costs is not None:
            document["tried"] = self.tried.tolist()
            document["costs"] = [float(f"{value:.9g}") for value in self.costs.tolist()]
        return document


def read_dataset(
    folder: Path | str, domain: Domain[Any, Any], options: Any, *, partial: bool = False
) -> tuple[Card, list[Episode]]:
    """All episodes of a dataset.

    Args:
        folder: of the dataset.
        domain: that it must be of.
        options: of the simulator that its decisions must have been made in; those that only change
            what is seen may differ.
        partial: take one that is not finished as it is.

    Raises:
        InputError: another domain or other options, a part is missing, damaged or not understood.
    """
    folder = Path(folder)
    card = load_card(folder, domain)
    asked, seen = options_table(options), seen_only(options)
    within(folder / CARD, lambda: check_simulator(card.simulator, asked, seen))
    if card.episodes < card.count and not partial:
        problem = f"expected {card.count} episodes, found {card.episodes}: it is not finished"
        raise InputError(folder / CARD, problem)
    episodes: list[Episode] = []
    for shard in card.shards:
        episodes += read_shard(folder, shard, domain)
    return card, episodes


def load_card(folder: Path, domain: Domain[Any, Any]) -> Card:
    """The card of a dataset; raises InputError."""
    if not folder.is_dir():
        raise InputError(folder, "no such folder; expected one with a dataset")
    path = folder / CARD
    return read_object(path, lambda document: read_card(document, domain.name), MOST_CARD_BYTES)


def read_shard(folder: Path, shard: Shard, domain: Domain[Any, Any]) -> list[Episode]:
    """The episodes of a shard; raises InputError unless it is the one that the card tells of."""
    path = folder / shard.name
    found = _sha256(path)
    if found != shard.sha256:
        problem = f"expected a file with SHA-256 {shard.sha256}, found {found}: it is damaged"
        raise InputError(path, problem)
    return read_object(path, lambda document: _episodes(document, shard, domain, path), MOST_BYTES)


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise InputError(path, "no such file, although the card names it")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(path, f"can't be read: {error.strerror}") from None


def _episodes(
    document: dict[str, Any], shard: Shard, domain: Domain[Any, Any], path: Path
) -> list[Episode]:
    check_head(document, domain.name, ("episodes",), (), (SCHEMA,), "shard")
    rows = read_list(document["episodes"], "episodes", "episodes")
    if len(rows) != shard.episodes:
        raise InputError("episodes", f"expected {shard.episodes}, found {len(rows)}")
    return [_episode(row, f"episodes[{i}]", domain, path) for i, row in enumerate(rows)]


def _episode(row: Any, where: str, domain: Domain[Any, Any], path: Path) -> Episode:
    check_names(row, ("instance", "seed", "actions", "cost"), OPTIONAL, f"{where}.")
    try:
        instance = domain.instance_from_json(row["instance"])
    except InputError as error:
        raise InputError(f"{where}.instance", str(error)) from None
    targets = None
    if "targets" in row:
        targets = np.array(number_row(row["targets"], f"{where}.targets", 0.0, 1.0), np.float32)
    tried = costs = None
    if "tried" in row or "costs" in row:
        tried = np.array(integer_row(row.get("tried"), f"{where}.tried", 0, MOST_ACTION), np.int64)
        costs = np.array(number_row(row.get("costs"), f"{where}.costs", -MOST, MOST), np.float32)
        if (np.diff(tried) <= 0).any():
            raise InputError(f"{where}.tried", "expected rising numbers of decisions")
    return Episode(
        instance=instance,
        seed=read_integer(row["seed"], f"{where}.seed", 0),
        actions=np.array(integer_row(row["actions"], f"{where}.actions", 0, MOST_ACTION), np.int64),
        targets=targets,
        cost=read_number(row["cost"], f"{where}.cost"),
        tried=tried,
        costs=costs,
        where=f"{path}: {where}",
    )


def find_dataset(folder: Path, card: Card, domain: Domain[Any, Any]) -> Card:
    """What there is of a dataset already; nothing is written.

    Args:
        folder: of the dataset.
        card: what is asked for, without shards.
        domain: of the card.

    Returns:
        The card, with the shards that are there.

    Raises:
        InputError: something else is there, or another dataset.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file; expected a folder")
    if (folder / CARD).exists():
        found = load_card(folder, domain)
        within(folder / CARD, lambda: check_same(found, card))
        return found
    if folder.exists() and not all(_is_leftover(path.name) for path in folder.iterdir()):
        raise InputError(folder, "not empty, and there is no dataset; choose another folder")
    return card


def begin_dataset(folder: Path, card: Card, domain: Domain[Any, Any]) -> Card:
    """Make a folder for a dataset, or go on with the one that is there; see `find_dataset`.

    Raises:
        InputError: as `find_dataset`, or it can't be written there.
    """
    found = find_dataset(folder, card, domain)
    _drop_leftovers(prepare_folder(folder), found)
    if not (folder / CARD).exists():
        write_json(folder / CARD, found.to_json())
    return found


def _is_leftover(name: str) -> bool:
    """Whether it is what a writer that was killed leaves, or the lock."""
    hidden = name.startswith((f".{CARD}.", ".shard-")) and name.endswith(".tmp")
    return hidden or name == LOCK


def _drop_leftovers(folder: Path, card: Card) -> None:
    """Remove what was written without coming into the card."""
    known = {shard.name for shard in card.shards}
    for path in folder.iterdir():
        unlisted = is_shard(path.name) and path.name not in known
        if unlisted or (path.name != LOCK and _is_leftover(path.name)):
            path.unlink(missing_ok=True)


def add_shard(
    folder: Path, card: Card, episodes: Sequence[Episode], figures: Mapping[str, Any]
) -> Card:
    """Write further episodes, and the card that tells of them; returns it.

    figures: the other fields of `Shard`.
    """
    rows = [episode.to_json() for episode in episodes]
    document = {"schema": SCHEMA, "domain": card.domain, "episodes": rows}
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    data = gzip.compress(text.encode(), mtime=0)  # the same episodes, the same bytes
    name, digest = shard_name(len(card.shards)), hashlib.sha256(data).hexdigest()
    shard = Shard(name=name, episodes=len(episodes), sha256=digest, **figures)
    card = replace(card, shards=(*card.shards, shard))
    write_files({folder / name: data, folder / CARD: json_text(card.to_json()).encode()})
    return card
