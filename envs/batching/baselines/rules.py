"""Published schedulers and routers as configurations of the simulator's rules."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

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

_LEAST_SLACK = Scheduler(order="urgency", passes=64, budget=0, preemption="swap", displace=2.0)
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
    "edf": (Scheduler(order="edf"), "nearest deadline of what is still to come first"),
    "sjf-doomed": (
        Scheduler(order="sjf", doomed=True),
        "shortest predicted service first, what can't be in time any more last",
    ),
    "vtc": (
        Scheduler(order="vtc"),
        "the tenant served least for its share first (virtual token counter, Sheng et al. 2024)",
    ),
    "batchllm": (
        Scheduler(order="batchllm", budget=2048, max_seqs=4096),
        "prefix groups together, much output for their prompts first (Zheng et al. 2024)",
    ),
    "affinity-sjf": (
        Scheduler(router="prefix-affinity", order="sjf"),
        "prefix affinity, shortest predicted service first",
    ),
    "hexgen": (
        Scheduler(router="hexgen", order="urgency"),
        "speed against load, then least slack (HexGen-Text2SQL, alpha 0.5)",
    ),
    "llumnix": (
        Scheduler(router="llumnix", order="priority", migration=True),
        "most freeness, priorities, live migration (Sun et al. 2024)",
    ),
    "distserve": (
        Scheduler(batching="vllm-v0"),
        "pools for prompts and decodes, where replicas have roles (Zhong et al. 2024)",
    ),
    "backfill": (
        Scheduler(passes=PASSES),
        "first come, first served, past what does not fit (EASY backfilling, bounded)",
    ),
    "backfill-sjf": (
        Scheduler(order="sjf", passes=PASSES),
        "shortest predicted service first, past what does not fit",
    ),
    "backfill-srtf": (
        Scheduler(order="srtf", passes=PASSES),
        "shortest predicted remaining service first, past what does not fit",
    ),
    "backfill-edf": (
        Scheduler(order="edf", passes=PASSES),
        "nearest deadline first, past what does not fit",
    ),
    "backfill-sjf-doomed": (
        Scheduler(order="sjf", passes=PASSES, doomed=True),
        "the same as backfill-sjf, what can't be in time any more last",
    ),
    "backfill-urgency-doomed": (
        Scheduler(order="urgency", passes=PASSES, doomed=True),
        "the same as backfill-urgency, what can't be in time any more last",
    ),
    "backfill-edf-doomed": (
        Scheduler(order="edf", passes=PASSES, doomed=True),
        "the same as backfill-edf, what can't be in time any more last",
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
    "displacing": (
        replace(_LEAST_SLACK, order="edf", doomed=True, router="hexgen", alpha=0.4),
        "nearest due first, what can't be in time last, HexGen's routes, making room for each other",
    ),
    "backfill-affinity": (
        Scheduler(router="prefix-affinity", order="urgency", passes=PASSES),
        "prefix affinity, least slack first, past what does not fit",
    ),
}
_OF_ROUTERS = {
    "e2": "exploit the longest prefix or explore by load (E2 of Preble, Srivatsa et al. 2024)",
    "sticky": "where the first of the prefix group or session went, unless that is far busier",
}
ROUTES = {
    name: (
        Scheduler(router=name),
        _OF_ROUTERS.get(name, f"router {name}, Sarathi on each replica"),
    )
    for name in ROUTERS
    if name not in ("hexgen", "least-prefill", "llumnix")
}


def _make(scheduler: Scheduler, options: SolverOptions) -> Solver:
    settings: dict[str, Any] = dict(options.settings)
    return partial(serve, scheduler=replace(scheduler, **settings))


def _best_of(instance: BatchingInstance, schedulers: tuple[Scheduler, ...]) -> BatchingSolution:
    return min((serve(instance, s) for s in schedulers), key=lambda found: found.cost)


def _make_best(schedulers: tuple[Scheduler, ...], options: SolverOptions) -> Solver:
    del options
    return partial(_best_of, schedulers=schedulers)


_BASE = Scheduler()
HINDSIGHT = {
    "sarathi-hindsight": (
        tuple(replace(_BASE, budget=budget) for budget in BUDGETS),
        "a ceiling: Sarathi with the best budget for each instance, in hindsight",
    ),
    "sjf-hindsight": (
        tuple(replace(_BASE, order="sjf", aging=aging) for aging in (0.0, 0.1, 0.5, 2.0)),
        "a ceiling: SJF with the best aging for each instance, in hindsight",
    ),
    "hexgen-hindsight": (
        tuple(
            Scheduler(router="hexgen", order="urgency", alpha=alpha)
            for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)
        ),
        "a ceiling: HexGen with the best alpha for each instance, in hindsight",
    ),
}


class Sweep(NamedTuple):
    """A field of schedulers, values of it that are worth a try, and of which schedulers."""

    name: str
    values: tuple[Value, ...]
    applies: Callable[[Scheduler], bool]


def _routes(scheduler: Scheduler) -> bool:
    """Whether the scheduler is a router, whose order of admission is left open."""
    return scheduler.order == "fcfs" and scheduler.router != "least-prefill"


SWEEPS = (
    Sweep("budget", (0, *BUDGETS), lambda s: s.batching in ("sarathi", "vllm-v1")),
    Sweep(
        "order",
        ("fcfs", "sjf", "urgency", "edf"),
        lambda s: _routes(s) or (s.router == "hexgen" and s.passes == 0),
    ),
    Sweep("aging", (0.0, 0.1, 0.5, 2.0), lambda s: s.order in ("sjf", "srtf", "ltr")),
    Sweep("passes", (4, 16, 64, 256), lambda s: s.passes > 0),
    Sweep("passes", (0, 64), lambda s: s.passes == 0 and _routes(s)),
    Sweep("doomed", (False, True), lambda s: s.batching == "sarathi" and s.order != "batchllm"),
    Sweep("watermark", (0.01, 0.05), lambda s: s.batching not in ("orca", "request-level")),
    Sweep("displace", (1.0, 2.0, 4.0, 8.0), lambda s: s.displace > 0),
    Sweep("claim", (0.5, 1.0, 2.0), lambda s: s.displace > 0),
    Sweep("preemption", ("swap", "recompute"), lambda s: s.displace > 0),
    Sweep("alpha", (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0), lambda s: s.router == "hexgen"),
    Sweep("load_window_s", (1.0, 3.0, 10.0, 30.0, 180.0), lambda s: s.router == "e2"),
    Sweep(
        "router",
        ("least-prefill", "least-outstanding", "prefix-affinity", "hexgen", "least-ttft"),
        lambda s: s.router == "least-prefill",
    ),
)


def _knobs(scheduler: Scheduler) -> dict[str, Knob]:
    """What can be tuned of a scheduler: only what changes something, and leaves it what it is."""
    return {
        sweep.name: Knob(sweep.values, getattr(scheduler, sweep.name))
        for sweep in SWEEPS
        if sweep.applies(scheduler)
    }


BASELINES: dict[str, Baseline[BatchingInstance, BatchingSolution]] = {
    **{
        name: Baseline(
            make=partial(_make, scheduler), summary=summary, is_rule=True, knobs=_knobs(scheduler)
        )
        for name, (scheduler, summary) in {**SCHEDULERS, **ROUTES}.items()
    },
    **{
        name: Baseline(
            make=partial(_make_best, schedulers),
            summary=summary,
            aliases=(name.replace("hindsight", "swept"),),
        )
        for name, (schedulers, summary) in HINDSIGHT.items()
    },
}
