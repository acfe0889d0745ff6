"""The words by which contenders are named: ``cem-linear@64+reverse>tabu@1s``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphsched.agents.decoding.options import MAX_BEAM, MAX_SAMPLES, Ahead
from graphsched.envs.core.errors import InputError

NONE = "none"  # stands for no contender
LONGEST_S = 86_400.0  # of a time limit: a day
_LIMIT = re.compile(r"(?P<base>.+)@(?P<seconds>\d+(\.\d+)?)s")
_START = re.compile(r"(?P<name>[^@+]+)(@(?P<samples>\d+))?(?P<views>(\+[^@+]+)*)")
EXPECTED = "expected NAME, NAME@SAMPLES, NAME+SYMMETRY, NAME>IMPROVER, each perhaps with @SECONDSs"


@dataclass(frozen=True)
class Start:
    """A solver whose best runs are kept: ``cem-linear@64+reverse``.

    Attributes:
        name: of a baseline or policy.
        samples: runs; those after the first are drawn at random.
        symmetries: names of equivalent views that share the runs, see `Domain.symmetries`.
        beam: width of a beam search, for policies; 0 for none.
        ahead: how candidates are tried by rollouts at each decision, for policies.
    """

    name: str
    samples: int = 1
    symmetries: tuple[str, ...] = ()
    beam: int = 0
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        if not 1 <= self.samples <= MAX_SAMPLES:
            raise InputError("--samples", f"expected 1 to {MAX_SAMPLES}, found {self.samples}")
        if not 0 <= self.beam <= MAX_BEAM:
            raise InputError("--beam", f"expected 0 to {MAX_BEAM}, found {self.beam}")

    @property
    def word(self) -> str:
        """As it is written."""
        beam = f"@beam{self.beam}" if self.beam else ""
        ahead = f"@{self.ahead.word}" if self.ahead else ""
        samples = f"@{self.samples}" if self.samples > 1 else ""
        return self.name + beam + ahead + samples + "".join(f"+{name}" for name in self.symmetries)

    @property
    def tries(self) -> int:
        """Runs in all: of a single one, a beam and tried candidates, every view gets its own."""
        tried = self.ahead.candidates * self.ahead.futures if self.ahead else 0
        if width := self.beam or tried:
            return width * (1 + len(self.symmetries))
        return max(self.samples, 1 + len(self.symmetries))


@dataclass(frozen=True)
class Word:
    """A contender as it is named on the command line.

    Attributes:
        starts: solvers whose solutions are pooled; several are joined by ``&``.
        improver: name of a search that goes on from them, if any.
        time_limit_s: processor time in which all of it happens, if there is a limit.
    """

    starts: tuple[Start, ...]
    improver: str | None = None
    time_limit_s: float | None = None

    @property
    def base(self) -> str:
        """As it is written, without the limit."""
        starts = "&".join(start.word for start in self.starts)
        return starts if self.improver is None else f"{starts}>{self.improver}"

    @property
    def name(self) -> str:
        """As it is written."""
        return self.base if self.time_limit_s is None else f"{self.base}@{self.time_limit_s:g}s"

    @property
    def tries(self) -> int:
        """Runs of all starts together."""
        return sum(start.tries for start in self.starts)


def parse_word(text: str) -> Word:
    """Read a contender's name; raises InputError if it is malformed."""
    timed = _LIMIT.fullmatch(text)
    seconds = check_limit(f"{text!r:.60}", float(timed["seconds"])) if timed else None
    base = timed["base"] if timed else text
    head, arrow, improver = base.partition(">")
    if arrow and not improver.strip():
        raise InputError(f"{text!r:.60}", EXPECTED)
    starts = tuple(_parse_start(text, part) for part in head.split("&"))
    return Word(starts, improver.strip() or None, seconds)


def _parse_start(text: str, part: str) -> Start:
    match = _START.fullmatch(part.strip())
    if match is None:
        raise InputError(f"{text!r:.60}", EXPECTED)
    samples = int((match["samples"] or "1")[:20])
    if not 1 <= samples <= MAX_SAMPLES:
        raise InputError(f"{text!r:.60}", f"expected 1 to {MAX_SAMPLES} samples, found {samples}")
    symmetries = tuple(name.strip() for name in match["views"].split("+")[1:])
    return Start(match["name"].strip(), samples, tuple(dict.fromkeys(symmetries)))


def check_limit(where: str, seconds: float) -> float:
    """The time limit itself; raises InputError unless it is more than 0 and at most a day."""
    if not 0 < seconds <= LONGEST_S:
        problem = f"expected more than 0 and at most {LONGEST_S:g} seconds, found {seconds:g}"
        raise InputError(where, problem)
    return seconds


def split_words(text: str) -> list[str]:
    """Comma-separated words, blanks dropped, repetitions too."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def named_words(text: str) -> list[str]:
    """Comma-separated words but `NONE`."""
    return [word for word in split_words(text) if word != NONE]
