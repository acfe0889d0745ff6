"""Programs on machines with a small fast memory: which buffers are in it, when, and where."""

from importlib.resources import files
from pathlib import Path

from graphsched.envs.core.domain import Domain
from graphsched.envs.memory.baselines import belady, cpsat, linear, milp, rules, search
from graphsched.envs.memory.baselines.xla import solver as xla
from graphsched.envs.memory.baselines.xla.command import replay
from graphsched.envs.memory.bench import measure
from graphsched.envs.memory.bounds import cost, lower_bound
from graphsched.envs.memory.checker import check
from graphsched.envs.memory.features import SCHEMA, static_graph
from graphsched.envs.memory.generators import GENERATORS, TOY_OPTIMUM
from graphsched.envs.memory.improving import learned
from graphsched.envs.memory.improving.command import moves
from graphsched.envs.memory.improving.episode import redraw
from graphsched.envs.memory.instance import MemoryInstance, instance_from_json
from graphsched.envs.memory.library import LIBRARY, best_known, group
from graphsched.envs.memory.metrics import metrics
from graphsched.envs.memory.options import MemoryOptions
from graphsched.envs.memory.readers import READERS
from graphsched.envs.memory.render import render_html, render_rgb, render_text
from graphsched.envs.memory.simulator import MemorySim
from graphsched.envs.memory.solution import MemorySolution, solution_from_json
from graphsched.envs.memory.sources.extraction.command import extract
from graphsched.envs.memory.sources.perturb import perturb
from graphsched.envs.memory.view.follow import follow

DOMAIN: Domain[MemoryInstance, MemorySolution] = Domain(
    name="memory",
    env_id="Memory-v0",
    schema=SCHEMA,
    options=MemoryOptions,
    simulator=MemorySim,
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
    objective="latency, us",
    baselines={
        **rules.BASELINES,
        "local-search": search.BASELINE,
        "milp-seed": milp.BASELINE,
        "cp-sat": cpsat.BASELINE,
        "cem-linear": linear.BASELINE,
        **learned.BASELINES,
        "xla-msa": xla.BASELINE,
        "belady": belady.BASELINE,
    },
    improvers={"local-search": search.IMPROVER, **learned.IMPROVERS},
    anytime=lambda instance: "learned-search",
    symmetries={},
    render_text=render_text,
    render_rgb=render_rgb,
    render_html=render_html,
    instance_from_json=instance_from_json,
    solution_from_json=solution_from_json,
    presets=Path(str(files("graphsched.envs.memory") / "presets.toml")),
    commands={"extract": extract, "moves": moves, "replay": replay},
    metrics=metrics,
    measures=measure,
    perturb=perturb,
    follow=follow,
    redraw=redraw,
    hidden_rules=learned.hidden_rules,
)
