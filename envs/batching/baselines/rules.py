"""Published schedulers and routers as configurations of the simulator's rules."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from graphsched.envs.batching.options import BUDGETS, ROUTERS, Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.core.domain import Baseline, SolverOptions
from graphsched.envs.core.knobs import Knob

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.batching.instance import BatchingInstance
    from graphsched.envs.batching.solution import BatchingSolution
    from graphsched.envs.core.knobs import Value

    Solver = Callable[[BatchingInstance], BatchingSolution]

VALUES: dict[str, tuple[Value, ...]] = {
    "budget": (0, *BUDGETS),
    "aging": (0.0, 0.1, 0.5, 2.0),
    "passes": (4, 16, 64, 256),
    "watermark": (0.01, 0.05, 0.1),
    "alpha": (0.0, 0.25, 0.5, 0.75, 1.0),
    "router": ("least-prefill", "least-outstanding", "prefix-affinity", "hexgen", "least-ttft"),
}
_LEAST_SLACK = Scheduler(order="urgency", passes=64, budget=0, preemption="swap", displace=2.0)
AGINGS = (0.0, 0.1, 0.5, 2.0)  # swept, s by s
PASSES = 64  # of backfilling; fewer cost more wherever memory is short

# What is not said has the defaults of `Scheduler`: Sarathi with 512 tokens, least pending prefill.
SCHEDULERS = {
    "request-level": (Scheduler(batching="request-level"), "a batch to its end, then the next one"),
    "orca": (Scheduler(batching="orca"), "iteration-level batches, longest output reserved (2022)"),
    "vllm-v0": (Scheduler(batching="vllm-v0"), "prompts first, paged memory (Kwon et al. 2023)"),
    "vllm-v0-swap": (
        Scheduler(batching="vllm-v0", preemption="swap"),
        "the same, swapping blocks to the host instead of computing them again",
    ),
    "vllm-v1": (
        Scheduler(batching="vllm-v1", budget=2048),
        "running requests first, chunked prompts, 2048 tokens",
    ),
    "sarathi": (Scheduler(), "decodes, then chunks of prompts, 512 tokens (Agrawal et al. 2024)"),
    "sarathi-dynamic": (Scheduler(budget=0), "the largest budget that meets the TPOT targets"),
    "sjf": (Scheduler(order="sjf"), "shortest predicted service first"),
    "srtf": (Scheduler(order="srtf"), "shortest predicted remaining service first"),
    "sjf-aging": (
        Scheduler(order="sjf", aging=0.5),
        "the same; half a second off by second waited",
    ),
    "ltr": (Scheduler(order="ltr"), "shortest predicted output first, as learning to rank"),
    "priority": (Scheduler(order="priority"), "highest priority first"),
    "urgency": (Scheduler(order="urgency"), "least slack to the targets first"),
    "hexgen": (
        Scheduler(router="hexgen", order="urgency"),
        "speed against load, then least slack (HexGen-Text2SQL, alpha 0.5)",
    ),
    "backfill": (
        Scheduler(passes=PASSES),
        "first come, first served, past what does not fit (EASY backfilling, bounded)",
    ),
    "backfill-sjf": (
        Scheduler(order="sjf", passes=PASSES),
        "shortest predicted service first, past what does not fit",
    ),
    "backfill-urgency": (
        Scheduler(order="urgency", passes=PASSES),
        "least slack to the targets first, past what does not fit",
    ),
    "backfill-hexgen": (
        Scheduler(router="hexgen", order="urgency", passes=PASSES),
        "HexGen past what does not fit",
    ),
    "llf": (
        _LEAST_SLACK,
        "least slack first; those with time to spare make room for those without",
    ),
    "llf-affinity": (
        replace(_LEAST_SLACK, router="prefix-affinity"),
        "the same with prefix affinity",
    ),
    "backfill-affinity": (
        Scheduler(router="prefix-affinity", order="urgency", passes=PASSES),
        "prefix affinity, least slack first, past what does not fit",
    ),
}
ROUTES = {
    name: (Scheduler(router=name), f"router {name}, Sarathi on each replica")
    for name in ROUTERS
    if name not in ("hexgen", "least-prefill")
}


def _make(scheduler: Scheduler, options: SolverOptions) -> Solver:
    settings: dict[str, Any] = dict(options.settings)
    return partial(serve, scheduler=replace(scheduler, **settings))


def _best_of(instance: BatchingInstance, schedulers: tuple[Scheduler, ...]) -> BatchingSolution:
    return min((serve(instance, s) for s in schedulers), key=lambda found: found.cost)


def _make_swept(schedulers: tuple[Scheduler, ...], options: SolverOptions) -> Solver:
    del options
    return partial(_best_of, schedulers=schedulers)


_BASE = Scheduler()
SWEPT = {
    "sarathi-swept": (
        tuple(replace(_BASE, budget=budget) for budget in BUDGETS),
        "Sarathi with the best budget for each instance, in hindsight",
    ),
    "sjf-swept": (
        tuple(replace(_BASE, order="sjf", aging=aging) for aging in AGINGS),
        "SJF with the best aging for each instance, in hindsight",
    ),
    "hexgen-swept": (
        tuple(
            Scheduler(router="hexgen", order="urgency", alpha=alpha)
            for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)
        ),
        "HexGen with the best alpha for each instance, in hindsight",
    ),
}


def _knobs(scheduler: Scheduler) -> dict[str, Knob]:
    """What can be tuned of a scheduler: only what changes something."""
    aged = scheduler.order in ("sjf", "srtf", "ltr")
    chunks = scheduler.batching in ("sarathi", "vllm-v1")
    reserved = scheduler.batching in ("orca", "request-level")
    of_use = {
        "budget": chunks,
        "aging": aged,
        "passes": scheduler.passes > 0,
        "watermark": not reserved,
        "alpha": scheduler.router == "hexgen",
        "router": scheduler.router == "least-prefill",
    }
    return {
        name: Knob(values, getattr(scheduler, name))
        for name, values in VALUES.items()
        if of_use[name]
    }


BASELINES: dict[str, Baseline[BatchingInstance, BatchingSolution]] = {
    **{
        name: Baseline(
            make=partial(_make, scheduler), summary=summary, is_rule=True, knobs=_knobs(scheduler)
        )
        for name, (scheduler, summary) in {**SCHEDULERS, **ROUTES}.items()
    },
    **{
        name: Baseline(make=partial(_make_swept, schedulers), summary=summary)
        for name, (schedulers, summary) in SWEPT.items()
    },
}
