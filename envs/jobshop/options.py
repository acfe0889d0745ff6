"""Options of the simulator."""

from __future__ import annotations

from dataclasses import dataclass

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import python_scalars

LOOKS = ("none", "bounds", "rules")
CANDIDATE_RULES = {"nondelay": 0.0, "active": 1.0}

MAX_STEPS = 10**6  # more operations than an instance has play no part


@dataclass(frozen=True)
class JobShopOptions:
    """Simulator options.

    Attributes:
        delay_window: which operations may compete for the focus machine: 0 is ``nondelay``, 1 is
            ``active``, values between admit a machine's idling for part of an operation.
        pilot_steps: operations that the pilot features look ahead; 0 looks at the candidate alone.
    """

    delay_window: float = 0.3
    pilot_steps: int = 120
    look_ahead: str = "none"
    rules: int = 12

    def __post_init__(self) -> None:
        """Accept the rules' names as well; raises InputError outside [0, 1]."""
        python_scalars(self)
        given: object = self.delay_window
        window = CANDIDATE_RULES.get(str(given), given)
        if isinstance(window, bool) or not isinstance(window, int | float) or not 0 <= window <= 1:
            rules = ", ".join(CANDIDATE_RULES)
            raise InputError("delay_window", f"expected a number in [0, 1] or {rules}: {window!r}")
        object.__setattr__(self, "delay_window", float(window))
        if type(self.pilot_steps) is not int or not 0 <= self.pilot_steps <= MAX_STEPS:
            problem = f"expected a count in [0, {MAX_STEPS}], found {self.pilot_steps!r:.40}"
            raise InputError("pilot_steps", problem)
