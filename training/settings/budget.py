"""How much of a run's budget of time and decisions is used."""

from __future__ import annotations

from graphsched.envs.core.clock import cpu_s, wall_s
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
        self.start()

    def start(self, elapsed_s: float = 0.0, core_s: float = 0.0) -> None:
        """Start the clocks, with the time that was used before, by the wall and of processors."""
        self._before_s, self._began = elapsed_s, wall_s()
        self._core_before_s, self._core_began = core_s, cpu_s()

    @property
    def elapsed_s(self) -> float:
        """Seconds used, earlier parts of a resumed run included."""
        return self._before_s + wall_s() - self._began

    @property
    def core_s(self) -> float:
        """Seconds of processor time used, over all cores, earlier parts included."""
        return self._core_before_s + cpu_s() - self._core_began

    def time_share(self) -> float:
        """Used share of the time; 0 if it is unlimited. May exceed 1."""
        return self.elapsed_s / (60.0 * self.minutes) if self.minutes is not None else 0.0

    def progress(self, steps: int) -> float:
        """Used share of the budget, in [0, 1], after that many decisions."""
        share = 0.0
        if self.steps is not None:
            share = steps / self.steps if self.steps else 1.0
        return min(1.0, max(share, self.time_share()))
