"""What learning took, for the card of a policy and the reports that weigh it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from graphsched.envs.core.parts.documents import read_number
from graphsched.envs.core.parts.reading import parse_json, read_text
from graphsched.envs.core.registry import get_domain
from graphsched.eval.machine import machine_facts

if TYPE_CHECKING:
    from graphsched.training.settings.config import TrainConfig


def machine_of(device: torch.device) -> str:
    """The machine in words: processor, usable cores and, where one learns, the GPU."""
    facts = machine_facts()
    words = f"{facts['processor']}, {facts['cores']} cores"
    return f"{words}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else words


def learning_cost(config: TrainConfig, core_s: float, machine: str) -> dict[str, Any]:
    """Processor time of a run and of the rule that it started as.

    Args:
        config: of the run.
        core_s: seconds of processor time that it used, over all cores.
        machine: in words.

    Returns:
        ``core_hours``: of both; ``start_core_hours``: of the rule alone, 0 if the policy started
        knowing nothing and None if the rule's file doesn't say; ``machine``.
    """
    start = _start_hours(config)
    hours = core_s / 3600
    return {
        "core_hours": round(hours + (start or 0.0), 6),
        "start_core_hours": None if start is None else round(start, 6),
        "machine": machine,
    }


def _start_hours(config: TrainConfig) -> float | None:
    """Core-hours in which the rule was tuned, which takes one core."""
    rule = config.network.linear_rule
    if rule is None:
        return 0.0
    file = get_domain(config.domain).presets.parent / rule
    minutes = parse_json(read_text(file), file).get("minutes")
    return None if minutes is None else read_number(minutes, f"{file}: minutes", 0.0) / 60


def cost_in_words(cost: dict[str, Any]) -> str:
    """One line for a card."""
    hours, start = cost["core_hours"], cost["start_core_hours"]
    words = f"{hours:.2g} core-hours on {cost['machine']}"
    if start is None:
        return f"{words}, the tuning of the rule it starts as not counted"
    return f"{words}, {start:.2g} of them to tune the rule it starts as" if start else words
