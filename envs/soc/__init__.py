"""Task graphs on unlike processing elements: the makespan of one, the latency of a stream of them."""

from importlib.resources import files
from pathlib import Path

from graphsched.envs.core.domain import Domain
from graphsched.envs.soc.baselines import cpsat, ga, linear, offline, runtime, search
from graphsched.envs.soc.bench import measure
from graphsched.envs.soc.bounds import cost, lower_bound
from graphsched.envs.soc.checker import check
from graphsched.envs.soc.features import SCHEMA, static_graph
from graphsched.envs.soc.generators import GENERATORS, TOY_OPTIMUM
from graphsched.envs.soc.instance import SocInstance, instance_from_json
from graphsched.envs.soc.library import LIBRARY, best_known, group
from graphsched.envs.soc.metrics import metrics
from graphsched.envs.soc.options import SocOptions
from graphsched.envs.soc.plan.follow import follow
from graphsched.envs.soc.readers import READERS
from graphsched.envs.soc.render import render_html, render_rgb, render_text
from graphsched.envs.soc.simulator import SocSim
from graphsched.envs.soc.solution import SocSolution, solution_from_json
from graphsched.envs.soc.sources import wfcommons
from graphsched.envs.soc.sources.perturb import perturb
from graphsched.envs.soc.stream.futures import redraw, span, standing

DOMAIN: Domain[SocInstance, SocSolution] = Domain(
    name="soc",
    env_id="Soc-v0",
    schema=SCHEMA,
    options=SocOptions,
    simulator=SocSim,
    static_graph=lambda i: static_graph(i.jobs[0], i.platform, i.ticks),
    generators={**GENERATORS, **wfcommons.GENERATORS},
    toy_optimum=TOY_OPTIMUM,
    readers=READERS,
    library=LIBRARY,
    check=check,
    cost=cost,
    lower_bound=lower_bound,
    best_known=best_known,
    group=group,
    objective="makespan or mean latency",
    baselines={
        **offline.BASELINES,
        **runtime.BASELINES,
        "ga": ga.BASELINE,
        "local-search": search.BASELINE,
        "cem-linear": linear.BASELINE,
        "cp-sat": cpsat.BASELINE,
    },
    improvers={"local-search": search.IMPROVER},
    anytime=lambda i: "streaming" if i.is_stream else "local-search",
    symmetries={},
    render_text=render_text,
    render_rgb=render_rgb,
    render_html=render_html,
    instance_from_json=instance_from_json,
    solution_from_json=solution_from_json,
    presets=Path(str(files("graphsched.envs.soc") / "presets.toml")),
    shipped=lambda i: "streaming" if i.is_stream else "static",
    metrics=metrics,
    measures=measure,
    perturb=perturb,
    follow=follow,
    redraw=redraw,
    standing=standing,
    span=span,
)
