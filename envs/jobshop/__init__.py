"""Job shop scheduling: minimise the makespan of jobs that each visit machines in a fixed order."""

from importlib.resources import files
from pathlib import Path

from graphsched.envs.core.domain import Domain, nothing_hidden
from graphsched.envs.jobshop.baselines import cpsat, dispatching, linear, tabu
from graphsched.envs.jobshop.bench import measure
from graphsched.envs.jobshop.bounds import cost, lower_bound
from graphsched.envs.jobshop.checker import check
from graphsched.envs.jobshop.features import SCHEMA, static_graph
from graphsched.envs.jobshop.generators import GENERATORS, TOY_OPTIMUM
from graphsched.envs.jobshop.instance import JobShopInstance, instance_from_json
from graphsched.envs.jobshop.library import LIBRARY, best_known, group
from graphsched.envs.jobshop.options import JobShopOptions
from graphsched.envs.jobshop.readers import READERS
from graphsched.envs.jobshop.render import render_html, render_rgb, render_text
from graphsched.envs.jobshop.search.rest import finish
from graphsched.envs.jobshop.simulator import JobShopSim
from graphsched.envs.jobshop.solution import JobShopSolution, solution_from_json
from graphsched.envs.jobshop.sources.perturb import perturb
from graphsched.envs.jobshop.view.follow import follow
from graphsched.envs.jobshop.view.symmetry import REVERSE

DOMAIN: Domain[JobShopInstance, JobShopSolution] = Domain(
    name="jobshop",
    env_id="JobShop-v0",
    schema=SCHEMA,
    options=JobShopOptions,
    simulator=JobShopSim,
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
    objective="makespan",
    baselines={
        **dispatching.BASELINES,
        "cem-linear": linear.BASELINE,
        "cp-sat": cpsat.BASELINE,
        "tabu": tabu.BASELINE,
    },
    improvers={"tabu": tabu.IMPROVER},
    anytime=lambda instance: "tabu",
    symmetries={"reverse": REVERSE},
    render_text=render_text,
    render_rgb=render_rgb,
    render_html=render_html,
    instance_from_json=instance_from_json,
    solution_from_json=solution_from_json,
    presets=Path(str(files("graphsched.envs.jobshop") / "presets.toml")),
    measures=measure,
    perturb=perturb,
    follow=follow,
    redraw=nothing_hidden,
    finish=finish,
)
