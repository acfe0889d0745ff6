"""Serving large language models: which replica, who is next, how many tokens an iteration."""

from functools import partial
from importlib.resources import files
from pathlib import Path

from graphsched.envs.batching.baselines import linear, rules, tuned
from graphsched.envs.batching.baselines.pools import pools
from graphsched.envs.batching.bench import measure
from graphsched.envs.batching.bounds import cost, lower_bound
from graphsched.envs.batching.checker import check
from graphsched.envs.batching.features import SCHEMA, static_graph
from graphsched.envs.batching.futures.redraw import redraw
from graphsched.envs.batching.generators import GENERATORS, TOY_OPTIMUM
from graphsched.envs.batching.instance import BatchingInstance, instance_from_json
from graphsched.envs.batching.library import LIBRARY, best_known, group
from graphsched.envs.batching.metrics import metrics
from graphsched.envs.batching.options import BatchingOptions
from graphsched.envs.batching.readers import READERS
from graphsched.envs.batching.render import render_html, render_rgb, render_text
from graphsched.envs.batching.simulator import BatchingSim
from graphsched.envs.batching.solution import BatchingSolution, solution_from_json
from graphsched.envs.batching.sources.cut import cut
from graphsched.envs.batching.sources.perturb import perturb
from graphsched.envs.core.domain import Domain

DOMAIN: Domain[BatchingInstance, BatchingSolution] = Domain(
    name="batching",
    env_id="Batching-v0",
    schema=SCHEMA,
    options=BatchingOptions,
    simulator=BatchingSim,
    static_graph=static_graph,
    generators=GENERATORS,
    toy_optimum=TOY_OPTIMUM,
    readers=READERS,
    library=LIBRARY,
    check=check,
    cost=cost,
    lower_bound=lower_bound,
    best_known=best_known,
    group=group,
    objective="points lost against the targets, 0 to 100",
    baselines={**rules.BASELINES, "tuned": tuned.BASELINE, "cem-linear": linear.BASELINE},
    symmetries={},
    render_text=render_text,
    render_rgb=render_rgb,
    render_html=render_html,
    instance_from_json=instance_from_json,
    solution_from_json=solution_from_json,
    presets=Path(str(files("graphsched.envs.batching") / "presets.toml")),
    metrics=metrics,
    measures=measure,
    perturb=perturb,
    cost_ratios=False,
    shipped=lambda _: "routing",
    redraw=redraw,
    commands={"cut": partial(cut, READERS), "pools": pools},
)
