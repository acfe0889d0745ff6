"""How a policy is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphsched.envs.core.errors import InputError

MAX_SAMPLES = 1_000_000
MAX_BEAM = 4096  # states of the simulator that are held at once
MAX_HORIZON = 10**9


@dataclass(frozen=True)
class Ahead:
    """How candidates are tried before one is taken, see `ahead`.

    Attributes:
        candidates: of a decision that are tried, the likeliest ones.
        futures: rollouts of each; what isn't known yet is drawn anew for each.
        horizon: how far a rollout goes, in spans (`Domain.span`): decisions, or in streams of jobs
            about as long as a job takes; None goes on to the end.
        margin: by which another candidate must be better than the policy's own: a share of the
            usual cost, or of reward.
        limit_ms: processor time of a decision's rollouts, ms: as many candidates are tried as fit
            in it.
    """

    candidates: int
    futures: int = 1
    horizon: float | None = None
    margin: float = 0.0
    limit_ms: float | None = None

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        most = MAX_BEAM // max(self.candidates, 1)
        limit = self.limit_ms
        _expect(1 <= self.candidates <= MAX_BEAM, "--rollouts", self.candidates, f"1 to {MAX_BEAM}")
        _expect(1 <= self.futures <= most, "--futures", self.futures, f"1 to {most}")
        good = self.horizon is None or 0 < self.horizon <= MAX_HORIZON
        _expect(good, "--horizon", self.horizon, f"more than 0, at most {MAX_HORIZON}")
        _expect(0 <= self.margin < np.inf, "--margin", self.margin, "0 or more")
        good = limit is None or 0 < limit < np.inf
        _expect(good, "--rollout-ms", limit, "more than 0")

    @property
    def word(self) -> str:
        """Short, for the names of solvers: ``ahead4x8``."""
        word = f"ahead{self.candidates}"
        if self.futures > 1:
            word += f"x{self.futures}"
        if self.horizon:
            word += f"h{self.horizon:g}"
        if self.margin:
            word += f"m{self.margin:g}"
        return word if self.limit_ms is None else f"{word}t{self.limit_ms:g}"


@dataclass(frozen=True)
class Decoding:
    """How a policy is turned into a solution; greedy by default.

    Attributes:
        samples: rollouts of which the best is kept, a million at most; the first is the greedy one,
            the others draw from the policy. More samples never give a worse solution with the same
            seed.
        beam: width of a beam search by log-probability, 4096 at most; 0 for none. The greedy
            rollout takes part.
        stochastic: the beam holds a sample without replacement (Kool, van Hoof & Welling 2019,
            "Stochastic Beams and Where to Find Them") instead of the likeliest prefixes.
        ahead: how candidates are tried by rollouts at each decision; None takes the policy's.
        symmetries: names of equivalent views of the instance to decode as well. Samples are
            split evenly between the views; of a single sample, every view gets its own.
        temperature: divides the logits that are sampled from.
        seed: of all draws, and of the world if the domain has a random one.
        time_limit_s: sample until so much processor time of this process is over, however many;
            a search that is not complete then does not count, the greedy rollouts always do.
    """

    samples: int = 1
    beam: int = 0
    stochastic: bool = False
    ahead: Ahead | None = None
    symmetries: tuple[str, ...] = ()
    temperature: float = 1.0
    seed: int = 0
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        _expect(1 <= self.samples <= MAX_SAMPLES, "samples", self.samples, f"1 to {MAX_SAMPLES}")
        _expect(0 <= self.beam <= MAX_BEAM, "beam", self.beam, f"0 to {MAX_BEAM}")
        _expect(self.beam == 0 or self.samples == 1, "samples", self.samples, "1 with a beam")
        _expect(not self.stochastic or self.beam > 0, "stochastic", True, "a beam with it")
        alone = self.ahead is None or (self.samples == 1 and self.beam == 0)
        _expect(alone, "--rollouts", self.ahead, "neither samples nor a beam beside them")
        _expect(0 < self.temperature < np.inf, "temperature", self.temperature, "more than 0")
        _expect(self.seed >= 0, "seed", self.seed, "0 or more")
        limit = self.time_limit_s
        _expect(limit is None or limit > 0, "time_limit_s", limit, "more than 0")


def _expect(holds: bool, where: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(where, f"expected {expected}, found {found}")
