"""The card of a dataset: what was taught, by whom, how well, and the shards that hold it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    read_entries,
    read_integer,
    read_name,
    read_number,
)
from graphsched.envs.core.parts.values import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SCHEMA = 1
MOST_EPISODES = 10**6
MOST_DECISIONS = 10**9  # of a shard
_SHARD = re.compile(r"shard-[0-9]{5}\.json\.gz")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ASKED = (
    "domain",
    "simulator",
    "instances",
    "teacher",
    "time_limit_s",
    "policy",
    "seed",
    "count",
)
_OF_TRIALS = ("spread_pct", "noise_pct")


@dataclass(frozen=True)
class Shard:
    """A file of a dataset, and how good the episodes in it are.

    Attributes:
        name: of the file, in the dataset's folder.
        episodes: in it.
        sha256: of the file.
        decisions: of all of its episodes.
        inexact: those of them that are not just what the teacher did, see `Domain.follow`; in
            episodes of a policy, where it departed from its teacher.
        teacher_gap_pct, replay_gap_pct: mean cost above the lower bound, of the teacher's
            solutions and of what their decisions lead to in the simulator.
        excess_pct: mean cost of the decisions above that of the teacher's solutions.
        seconds: of processor time that it took.
        spread_pct, noise_pct: where candidates were tried out: mean deviation of their costs at a
            decision, and mean standard error of a difference between two, in % of the usual cost.
    """

    name: str
    episodes: int
    sha256: str
    decisions: int
    inexact: int
    teacher_gap_pct: float
    replay_gap_pct: float
    excess_pct: float
    seconds: float
    spread_pct: float = 0.0
    noise_pct: float = 0.0


@dataclass(frozen=True)
class Card:
    """What a dataset is.

    Attributes:
        domain: of the instances.
        simulator: all options of the simulator that the decisions are made in.
        instances: what they are: kinds with weights, or the specification of given ones.
        teacher: word of the solver.
        time_limit_s: that it was given for each instance; None: as long as it takes.
        policy: whose episodes were labelled, and how; None: the teacher labelled its own.
        seed: of instances and teacher.
        count: episodes asked for; fewer are there while the dataset isn't finished.
        versions, git: of the software that began it, as in bundles.
        shards: in the order of their episodes.
    """

    domain: str
    simulator: Mapping[str, Any]
    instances: str
    teacher: str
    time_limit_s: float | None
    seed: int
    count: int
    policy: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    git: str | None = None
    shards: tuple[Shard, ...] = ()

    @property
    def episodes(self) -> int:
        """That are there."""
        return sum(shard.episodes for shard in self.shards)

    @property
    def quality(self) -> dict[str, Any]:
        """The figures of all shards together; without any, nothing but zeros."""
        out: dict[str, Any] = {"decisions": sum(shard.decisions for shard in self.shards)}
        inexact = sum(shard.inexact for shard in self.shards)
        out["inexact_share"] = inexact / max(out["decisions"], 1)
        for name in ("teacher_gap_pct", "replay_gap_pct", "excess_pct"):
            total = sum(shard.episodes * getattr(shard, name) for shard in self.shards)
            out[name] = total / max(self.episodes, 1)
        for name in _OF_TRIALS:
            total = sum(shard.decisions * getattr(shard, name) for shard in self.shards)
            out[name] = total / max(out["decisions"], 1)
        out["seconds"] = sum(shard.seconds for shard in self.shards)
        return out

    def to_json(self) -> dict[str, Any]:
        """The document that `read_card` reads back."""
        document = {"schema": SCHEMA, **asdict(self)}
        shards = document.pop("shards")
        return {**document, "quality": self.quality, "shards": list(shards)}


def read_card(document: dict[str, Any], domain: str) -> Card:
    """Inverse of `Card.to_json`; raises InputError naming the field.

    domain: that it must be of.
    """
    names = [f.name for f in fields(Card) if f.name != "domain"]
    check_head(document, domain, (*names, "quality", "domain", "schema"), (), (SCHEMA,), "card")
    limit, git, policy = document["time_limit_s"], document["git"], document["policy"]
    keys = [f.name for f in fields(Shard) if f.name not in _OF_TRIALS]
    entries = read_entries(document["shards"], "shards", keys, _OF_TRIALS)
    card = Card(
        domain=domain,
        simulator=_table(document["simulator"], "simulator"),
        instances=read_name(document["instances"], "instances"),
        teacher=read_name(document["teacher"], "teacher"),
        time_limit_s=None if limit is None else read_number(limit, "time_limit_s", 0.0),
        seed=read_integer(document["seed"], "seed", 0),
        count=read_integer(document["count"], "count", 1, MOST_EPISODES),
        policy=None if policy is None else read_name(policy, "policy"),
        versions={
            name: read_name(version, f"versions.{name:.40}")
            for name, version in _table(document["versions"], "versions").items()
        },
        git=None if git is None else read_name(git, "git"),
        shards=tuple(_read_shard(entry, i) for i, entry in enumerate(entries)),
    )
    if card.episodes > card.count:
        raise InputError("shards", f"expected {card.count} episodes at most, found {card.episodes}")
    if not _same(document["quality"], card.quality):
        raise InputError("quality", "expected what the figures of the shards give")
    return card


def _same(found: Any, figures: Mapping[str, Any]) -> bool:
    """Whether these are the figures; Python's sums differ in the last digits from 3.12 on."""
    return (
        isinstance(found, dict)
        and found.keys() <= figures.keys()
        and all(
            found.get(name, 0.0) == figure
            or (
                isinstance(found.get(name), float)
                and math.isclose(found[name], figure, rel_tol=1e-9)
            )
            for name, figure in figures.items()
        )
    )


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(where, f"expected an object, found {shown(value)}")
    return value


def _read_shard(entry: dict[str, Any], number: int) -> Shard:
    where = f"shards[{number}]."
    expected = shard_name(number)
    if entry["name"] != expected:
        raise InputError(f"{where}name", f"expected {expected!r}, found {shown(entry['name'])}")
    digest = read_name(entry["sha256"], f"{where}sha256")
    if not _SHA256.fullmatch(digest):
        raise InputError(f"{where}sha256", f"expected 64 hexadecimal digits, found {digest!r:.80}")
    decisions = read_integer(entry["decisions"], f"{where}decisions", 0, MOST_DECISIONS)
    gaps = ("teacher_gap_pct", "replay_gap_pct", "excess_pct")
    return Shard(
        name=expected,
        episodes=read_integer(entry["episodes"], f"{where}episodes", 1, MOST_EPISODES),
        sha256=digest,
        decisions=decisions,
        inexact=read_integer(entry["inexact"], f"{where}inexact", 0, decisions),
        seconds=read_number(entry["seconds"], f"{where}seconds", 0.0),
        **{name: read_number(entry[name], f"{where}{name}") for name in gaps},
        **{name: read_number(entry.get(name, 0.0), f"{where}{name}", 0.0) for name in _OF_TRIALS},
    )


def shard_name(number: int) -> str:
    """File of the shard with this number."""
    return f"shard-{number:05d}.json.gz"


def is_shard(name: str) -> bool:
    """Whether a file has the name of a shard."""
    return _SHARD.fullmatch(name) is not None


def options_table(options: Any) -> dict[str, Any]:
    """Simulator options as JSON gives them back."""
    table: dict[str, Any] = json.loads(json.dumps(asdict(options)))
    return table


def check_simulator(
    found: Mapping[str, Any], expected: Mapping[str, Any], seen: Collection[str] = ()
) -> None:
    """Raise InputError naming the first simulator option that differs, those ``seen`` apart."""
    for name in dict.fromkeys([*expected, *found]):
        if name in seen:
            continue
        if name not in found or name not in expected or found[name] != expected[name]:
            words = [repr(table[name]) if name in table else "none" for table in (expected, found)]
            raise InputError(f"simulator.{name:.40}", f"expected {words[0]}, found {words[1]:.60}")


def check_same(found: Card, asked: Card) -> None:
    """Raise InputError naming the first difference between what was asked for then and now."""
    check_simulator(found.simulator, asked.simulator)
    for name in _ASKED:
        before, now = getattr(found, name), getattr(asked, name)
        if before != now:
            raise InputError(
                name, f"the dataset there has {before!r:.80}, asked for is {now!r:.80}"
            )
