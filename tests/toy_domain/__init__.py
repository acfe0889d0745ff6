"""A fifth domain, outside the package: jobs arrive at a crew of workers while it works.

It is written in plain Python and shows that the contract needs no special cases: graphs come and
go during an episode, a candidate is a pair (task, worker) whose nodes lie in different graphs, one
candidate (*defer*) has no nodes at all, and there are two kinds of decision.
"""

from pathlib import Path

from graphsched.envs.core.domain import Domain
from tests.toy_domain.baselines import BASELINES
from tests.toy_domain.checker import check, cost, lower_bound
from tests.toy_domain.features import SCHEMA, crew_graph
from tests.toy_domain.generators import GENERATORS, LIBRARY, TOY_OPTIMUM
from tests.toy_domain.instance import instance_from_json
from tests.toy_domain.perturb import perturb
from tests.toy_domain.readers import READERS
from tests.toy_domain.render import render_html, render_rgb, render_text
from tests.toy_domain.simulator import CrewOptions, CrewSim
from tests.toy_domain.solution import solution_from_json
from tests.toy_domain.symmetry import MIRROR

DOMAIN = Domain(
    name="crew",
    env_id="Crew-v0",
    schema=SCHEMA,
    options=CrewOptions,
    simulator=CrewSim,
    static_graph=crew_graph,
    generators=GENERATORS,
    toy_optimum=TOY_OPTIMUM,
    readers=READERS,
    library=LIBRARY,
    check=check,
    cost=cost,
    lower_bound=lower_bound,
    best_known=lambda instance: TOY_OPTIMUM if instance.name == "toy" else None,
    group=lambda instance: f"{len(instance.jobs)}x{len(instance.workers)}",
    objective="total flow time (minutes)",
    baselines=BASELINES,
    symmetries={"mirror": MIRROR},
    render_text=render_text,
    render_rgb=render_rgb,
    render_html=render_html,
    instance_from_json=instance_from_json,
    solution_from_json=solution_from_json,
    presets=Path(__file__).with_name("presets.toml"),
    perturb=perturb,
)
