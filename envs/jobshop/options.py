"""Options of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.options import seen
from graphsched.envs.core.parts.values import python_scalars, shown

Look = Literal["none", "bounds", "rules"]
LOOKS: tuple[Look, ...] = get_args(Look)
NUM_RULES = 12  # of each direction, see `view.opinions`
CANDIDATE_RULES = {"nondelay": 0.0, "active": 1.0}

MAX_STEPS = 10**6  # more operations than an instance has play no part


@dataclass(frozen=True)
class JobShopOptions:
    """Simulator options.

    Attributes:
        delay_window: which operations may compete for the focus machine: 0 is ``nondelay``, 1 is
            ``active``, values between admit a machine's idling for part of an operation.
        pilot_steps: operations that the pilot features look ahead; 0 looks at the candidate alone.
        look_ahead: how far the other features look. In brackets what a decision takes in all, on
            one core with shops of 10x10 to 20x20:
            ``none``: no further than the short pilots of ``pilot_steps`` (60 us);
            ``bounds``: one-machine bounds of all machines as well (80 us);
            ``rules``: these, and pilots that go on to the end instead of the short ones (700 us
            with all rules, 190 us with 3), except at decisions that are out of their reach in large
            shops, see `view.opinions.REACH`.
        rules: forward pilots under ``rules``, and as many backward, 1 to 12; their time is in
            proportion.

    Columns of a look that isn't taken are 0.
    """

    delay_window: float = 0.3
    pilot_steps: int = seen(120)
    look_ahead: Look = seen("none")
    rules: int = seen(NUM_RULES)

    def __post_init__(self) -> None:
        """Accept the rules' names as well; raises InputError naming the option."""
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
        if self.look_ahead not in LOOKS:
            problem = f"expected one of {', '.join(LOOKS)}, found {shown(self.look_ahead)}"
            raise InputError("look_ahead", problem)
        if type(self.rules) is not int or not 1 <= self.rules <= NUM_RULES:
            raise InputError("rules", f"expected 1 to {NUM_RULES}, found {shown(self.rules)}")
