"""``graphsched allocate FILE...``: static allocators on minimalloc's files, in one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import Parser
from graphsched.eval.allocation.allocators import ALLOCATORS
from graphsched.eval.allocation.checker import check_placement
from graphsched.eval.allocation.fits import fit
from graphsched.eval.allocation.instance import read_minimalloc

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from graphsched.eval.allocation.instance import Allocation

EXACT = "cp-sat"


def _arguments(words: Sequence[str]) -> Namespace:
    parser = Parser("allocate", __doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="id,lower,upper,size")
    parser.add_argument(
        "--time-limit", type=float, default=10.0, help="seconds for search and cp-sat, each a file"
    )
    parser.add_argument("--capacity", type=int, help="bytes; by default those in a file's name")
    parser.add_argument("--allocators", help=f"separated by commas: {', '.join(ALLOCATORS)}")
    parser.add_argument("--json", action="store_true", help="heights, bounds and offsets as JSON")
    return parser.parse(words)


def _without_domain(words: Sequence[str]) -> Sequence[str]:
    """Its older form, ``graphsched allocate memory FILE...``, means the same."""
    older = bool(words) and words[0] == "memory" and not Path(words[0]).exists()
    return words[1:] if older else words


def _has_ortools() -> bool:
    try:
        import ortools  # noqa: F401
    except ImportError:
        return False
    return True


def _chosen(words: str | None) -> list[str]:
    """Allocators that were asked for; else all that can run here."""
    if words is None:
        return [name for name in ALLOCATORS if name != EXACT or _has_ortools()]
    names = [word.strip() for word in words.split(",")]
    for name in names:
        if name not in ALLOCATORS:
            raise InputError(f"allocator {name!r:.40}", f"not one of {', '.join(ALLOCATORS)}")
    return names


def _run(problem: Allocation, name: str, time_limit_s: float) -> dict[str, Any]:
    """One allocator on one problem, checked."""
    began = wall_s()
    found = ALLOCATORS[name](problem, time_limit_s)
    seconds = wall_s() - began
    return {
        "allocator": name,
        "instance": problem.name,
        "height": found.height,
        "bound": found.bound,
        "capacity": problem.capacity,
        "solved": problem.capacity is not None and found.height <= problem.capacity,
        "seconds": round(seconds, 3),
        "violations": check_placement(problem, found.offset),
        "offsets": dict(zip(problem.ids, found.offset.tolist(), strict=True)),
    }


def table(problems: Sequence[Allocation], rows: Sequence[dict[str, Any]]) -> str:
    """Solved problems and heights of each allocator, heights as shares of the capacity.

    Where there is no capacity, as shares of the maximum load.
    """
    whole = [p.max_load if p.capacity is None else p.capacity for p in problems]
    lines = [
        "  ".join(["allocator".ljust(20), "solved", *(f"{p.name:>7.7}" for p in problems), "s"])
    ]
    for k in range(0, len(rows), len(problems)):
        mine = rows[k : k + len(problems)]
        shares = [r["height"] / max(of, 1) for r, of in zip(mine, whole, strict=True)]
        solved = f"{sum(r['solved'] for r in mine)}/{sum(p.capacity is not None for p in problems)}"
        seconds = sum(r["seconds"] for r in mine)
        cells = [mine[0]["allocator"].ljust(20), solved.rjust(6), *(f"{x:7.3f}" for x in shares)]
        lines.append("  ".join([*cells, f"{seconds:.1f}"]))
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """Run the command; returns 1 if an allocation is invalid. Raises InputError for bad input."""
    options = _arguments(_without_domain(words))
    if not 0 <= options.time_limit < float("inf"):
        raise InputError("--time-limit", f"expected seconds >= 0, found {options.time_limit}")
    if options.capacity is not None and options.capacity < 1:
        raise InputError("--capacity", f"expected >= 1, found {options.capacity}")
    names = _chosen(options.allocators)
    problems = [read_minimalloc(path, options.capacity) for path in options.files]
    fit(problems[0], "size", True)  # compiles: no time of an allocator's
    rows = [_run(p, name, options.time_limit) for name in names for p in problems]
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
    else:
        sys.stdout.write(table(problems, rows) + "\n")
        if EXACT not in names and options.allocators is None:
            sys.stderr.write("cp-sat is left out: pip install graphsched[solvers]\n")
    wrong = [f"{r['allocator']} on {r['instance']}: {v}" for r in rows for v in r["violations"]]
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0
