"""``graphsched compile``: kernels compiled ahead of their first use, for images and pipelines."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphsched.cli.arguments import DomainWord, parse
from graphsched.envs.core.clock import wall_s
from graphsched.envs.core.kernels.cache import cache_root
from graphsched.envs.core.registry import domain_names, get_domain
from graphsched.eval.warm import warm_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphsched.envs.core.domain import Domain


@dataclass(frozen=True)
class CompileArguments:
    """Compile the kernels of this machine, so that later commands find them.

    They are kept in the user's cache folder, or in NUMBA_CACHE_DIR, until a source changes.
    """

    domain: DomainWord = ""
    """Domain to compile; all of them without one."""


def main(argv: Sequence[str]) -> int:
    """Run the command; raises InputError for bad input."""
    arguments = parse(CompileArguments, argv, "compile")
    for name in [arguments.domain] if arguments.domain else domain_names():
        seconds = compile_domain(get_domain(name))
        print(f"{name}: compiled or loaded in {seconds:.1f} s", flush=True)
    print(f"kept in {cache_root()}")
    return 0


def compile_domain(domain: Domain[Any, Any]) -> float:
    """Use every kernel of a domain once; returns the seconds of compiling and loading."""
    began = time.perf_counter() - wall_s()
    warm_up(domain)
    if importlib.util.find_spec("torch") is not None:
        from graphsched.training.bench import compile_training

        compile_training(domain)
    return time.perf_counter() - wall_s() - began
