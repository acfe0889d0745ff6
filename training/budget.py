"""How much of a run's budget of time and decisions is used."""

from __future__ import annotations

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.errors import InputError


class Budget:
    """Wall-clock time, decisions or both; the first to run out ends the run.

    Time counts while the run is alive, validation included, and goes on where it stood when the
    run is resumed.
    """

    def __init__(self, minutes: float | None, steps: int | None) -> None:
        """Args: minutes, steps: limits. Raises InputError if there is none."""
        if minutes is None and steps is None:
            raise InputError("budget", "found neither minutes nor steps; expected at least one")
        self.minutes = minutes
        self.steps = steps
        self._before_s = 0.0
        self._began = wall_s()

    def start(self, elapsed_s: float = 0.0) -> None:
        """Start the clock, with the time that was used before."""
        self._before_s = elapsed_s
        self._began = wall_s()

    @property
    def elapsed_s(self) -> float:
        """Seconds used, earlier parts of a resumed run included."""
        return self._before_s + wall_s() - self._began

    def time_share(self) -> float:
        """Used share of the time; 0 if it is unlimited. May exceed 1."""
        return self.elapsed_s / (60.0 * self.minutes) if self.minutes is not None else 0.0

    def progress(self, steps: int) -> float:
        """Used share of the budget, in [0, 1], after that many decisions."""
        share = steps / self.steps if self.steps is not None else 0.0
        return min(1.0, max(share, self.time_share()))
