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
    """Processor time of a run and of the rule or bundle that it started as.

    Args:
        config: of the run.
        core_s: seconds of processor time that it used, over all cores.
        machine: in words.

    Returns:
        ``core_hours``: of both; ``start_core_hours``: of the rule or bundle alone, 0 if the policy
        started knowing nothing and None if the rule's file or the bundle doesn't say; ``machine``.
    """
    start = _start_hours(config)
    hours = core_s / 3600
    return {
        "core_hours": round(hours + (start or 0.0), 6),
        "start_core_hours": None if start is None else round(start, 6),
        "machine": machine,
    }


def _start_hours(config: TrainConfig) -> float | None:
    """Core-hours of the bundle, or those in which the rule was tuned, which takes one core."""
    if config.init is not None:
        return config.init_record.get("core_hours")
    rule = config.network.rule
    if rule is None:
        return 0.0
    file = get_domain(config.domain).presets.parent / rule
    minutes = parse_json(read_text(file), file).get("minutes")
    return None if minutes is None else read_number(minutes, f"{file}: minutes", 0.0) / 60


def cost_in_words(cost: dict[str, Any], from_bundle: bool = False) -> str:
    """One line for a card; ``from_bundle`` says that the start was no rule."""
    hours, start = cost["core_hours"], cost["start_core_hours"]
    words = f"{hours:.2g} core-hours on {cost['machine']}"
    noun = "training" if from_bundle else "tuning"
    if start is None:
        what = "policy" if from_bundle else "rule"
        return f"{words}, the {noun} of the {what} it starts as not counted"
    verb = "train the policy" if from_bundle else "tune the rule"
    return f"{words}, {start:.2g} of them to {verb} it starts as" if start else words
