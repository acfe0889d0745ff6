"""How a policy is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphsched.envs.core.errors import InputError

MAX_SAMPLES = 1_000_000
MAX_BEAM = 4096  # states of the simulator that are held at once


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
        _expect(0 < self.temperature < np.inf, "temperature", self.temperature, "more than 0")
        _expect(self.seed >= 0, "seed", self.seed, "0 or more")
        limit = self.time_limit_s
        _expect(limit is None or limit > 0, "time_limit_s", limit, "more than 0")


def _expect(holds: bool, where: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(where, f"expected {expected}, found {found}")
