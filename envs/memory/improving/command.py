"""``graphsched moves memory``: learn which moves of the search help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.clock import cpu_s
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import Parser
from graphsched.envs.core.parts.writing import prepare_file, write_text
from graphsched.envs.memory.generators import GENERATORS
from graphsched.envs.memory.improving.fitting import Tried, fit, joined, try_moves
from graphsched.envs.memory.improving.learned import save_ranking
from graphsched.envs.memory.improving.rounds import RANDOM, Ranking, search_rounds
from graphsched.envs.memory.improving.searching import OFFERED
from graphsched.envs.memory.physics.orders import fixed_orders
from graphsched.envs.memory.physics.program import problem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.memory.instance import MemoryInstance

JUDGED_S = 0.1  # processor time for each program
KINDS = ("attention-training", "chain-training", "residual-training")
MOST = 10**6


def drawn(k: int, rng: np.random.Generator, size: str) -> MemoryInstance:
    """A training step; the kinds in turn."""
    return GENERATORS[KINDS[k % len(KINDS)]](rng, size)


def worth(ranking: Ranking, programs: int, size: str, seed: int) -> str:
    """One line on the latency that the ranking ends at beside the same search at random."""
    gaps = []
    for k in range(programs):
        p = problem_of(drawn(k, np.random.default_rng((seed, MOST, k)), size))
        orders = fixed_orders(p)
        ranked, random = (
            search_rounds(p, which, orders, None, cpu_s() + JUDGED_S, k).cost
            for which in (ranking, RANDOM)
        )
        gaps.append(100.0 * (ranked / random - 1.0))
    spread = np.std(gaps, ddof=1) / np.sqrt(programs)
    beside = f"the same moves at random on {programs} programs apart, {JUDGED_S:g} s each"
    return f"latency {np.mean(gaps):+.2f} ± {spread:.2f}% beside {beside}"


def moves(words: Sequence[str]) -> int:
    """Run the command; raises InputError for what can't be done."""
    parser = Parser("moves memory", __doc__)
    parser.add_argument("--programs", type=int, default=240, help="in each round")
    parser.add_argument("--size", default="2..6@2..32", help="of the programs")
    parser.add_argument("--tries", type=int, default=1500, help="moves of each kind in a program")
    parser.add_argument("--rounds", type=int, default=2, help="the first one is of random moves")
    parser.add_argument("--units", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--offered", type=int, nargs=2, default=(16, 8), help="moves to rank, runs")
    parser.add_argument("--noise", type=float, default=0.3, help="scale of the Gumbel noise")
    parser.add_argument("--judged", type=int, default=24, help="programs apart, to tell its worth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse(words)
    for name in ("programs", "tries", "rounds", "units", "epochs"):
        if not 1 <= getattr(options, name) <= MOST:
            raise InputError(f"--{name}", f"expected 1 to {MOST}, found {getattr(options, name)}")
    if not 0.0 <= options.noise <= MOST:
        raise InputError("--noise", f"expected 0 to {MOST}, found {options.noise}")
    if options.seed < 0:
        raise InputError("--seed", f"expected 0 or more, found {options.seed}")
    if not 2 <= options.judged <= MOST:
        raise InputError("--judged", f"expected 2 to {MOST}, found {options.judged}")
    for offered in options.offered:
        if not 1 <= offered <= OFFERED:
            raise InputError("--offered", f"expected 1 to {OFFERED}, found {offered}")
    prepare_file(options.out)
    ranking, logs = RANDOM, []
    for number in range(options.rounds):
        for k in range(options.programs):
            rng = np.random.default_rng((options.seed, number, k))
            instance = drawn(k, rng, options.size)
            logs.append(try_moves(instance, ranking, options.tries, k))
        found, lines = [], []
        for part in range(2):
            tried: Tried = joined([log[part] for log in logs])
            if not len(tried.saved):
                raise InputError("--size", f"programs of {options.size} leave nothing to improve")
            rng = np.random.default_rng((options.seed, number, MOST + part))
            scorer, share = fit(tried, options.units, options.epochs, options.noise, rng)
            found.append(scorer)
            lines.append(f"{len(tried.saved):,} moves, {share:.0%} of what helped in a sixteenth")
        ranking = Ranking(found[0], found[1], tuple(options.offered))
        print(f"round {number + 1}: in the order {lines[0]}; runs {lines[1]}")
    print(worth(ranking, options.judged, options.size, options.seed))
    told = ("programs", "size", "tries", "rounds", "units", "epochs", "seed")
    facts = {"command": "graphsched moves memory"} | {n: getattr(options, n) for n in told}
    write_text(options.out, save_ranking(ranking, facts))
    return 0
