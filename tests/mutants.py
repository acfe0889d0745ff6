"""Mutation testing: plants small faults in a module and counts those that its tests find.

Cosmic Ray supplies the faults. What is added here is the choice of those that matter, and speed:
the libraries, the kernels and the tests are loaded once, and each mutant is a forked child that
swaps in the faulty code and runs the tests of the module until the first failure. No file is
touched. Needs a system with `os.fork`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import gc
import importlib
import inspect
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property, singledispatch
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import hypothesis
import numpy as np
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
TIMEOUT_S, SLOWER = 5.0, 4.0  # a child may take this long, and longer by that factor

# Domain -> module -> the test files that concern it. Modules whose work is to measure speed are
# left out: a test can't tell their faults from a slow machine.
TARGETS: dict[str, dict[str, str]] = {
    "eval": {
        "eval/judging/compare": "eval/test_intervals eval/test_compare",
        "eval/running/rows": "eval/test_rows eval/test_intervals",
        "eval/judging/intervals": "eval/test_intervals",
        "eval/judging/payback": "eval/test_payback",
        "eval/judging/rivals": "eval/test_rivals",
        "eval/solvers/tempering": "eval/test_tempering",
        "eval/judging/verdicts": "eval/test_verdicts",
        "eval/judging/findings": "eval/test_findings eval/test_verdicts",
    },
    "batching": {
        "envs/batching/checker": "envs/batching/test_checker_faults envs/batching/test_checker "
        "envs/batching/test_timelines",
        "envs/batching/metrics": "envs/batching/test_figures envs/batching/test_timelines",
        "envs/batching/bounds": "envs/batching/test_figures envs/batching/test_artifacts",
        "envs/batching/solution": "contract/test_solution_documents envs/batching/test_figures envs/batching/test_artifacts",
        "envs/batching/readers": "envs/batching/test_figures envs/batching/test_readers",
    },
    "soc": {
        "envs/soc/checker": "envs/soc/test_checker_faults envs/soc/test_checker "
        "envs/soc/test_solution envs/soc/test_agreement",
        "envs/soc/metrics": "envs/soc/test_figures envs/soc/test_solution",
        "envs/soc/bounds": "envs/soc/test_figures envs/soc/test_solution",
        "envs/soc/solution": "contract/test_solution_documents envs/soc/test_figures envs/soc/test_solution",
        "envs/soc/readers": "envs/soc/test_figures envs/soc/test_readers",
    },
    "jobshop": {
        "envs/jobshop/checker": "envs/jobshop/test_checker",
        "envs/jobshop/bounds": "envs/jobshop/test_bounds",
        "envs/jobshop/solution": "contract/test_solution_documents envs/jobshop/test_figures envs/jobshop/test_checker",
        "envs/jobshop/readers": "envs/jobshop/test_figures envs/jobshop/test_readers",
    },
    "memory": {
        "envs/memory/checker": "envs/memory/test_checker_faults envs/memory/test_checker",
        "envs/memory/metrics": "envs/memory/test_figures envs/memory/test_baselines",
        "envs/memory/bounds": "envs/memory/test_figures envs/memory/test_baselines",
        "envs/memory/solution": "contract/test_solution_documents envs/memory/test_figures envs/memory/test_baselines",
        "envs/memory/readers": "envs/memory/test_figures envs/memory/test_instance",
    },
}

# Identity in place of a comparison, a power or a shift in place of a sum, a decorator gone: such a
# mutant is either the same program, or so broken that any test finds it.
_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod")
_SETS = ("BitAnd", "BitOr", "BitXor")
_PLAIN = {
    "core/AddNot",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ReplaceAndWithOr",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceOrWithAnd",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_Delete_USub",
    "core/ZeroIterationForLoop",
}

Place = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    """One fault: the operator's n-th occurrence in a module."""

    module: str
    operator: str
    occurrence: int
    line: int


@dataclass
class Outcome:
    """What became of a mutant."""

    module: str
    operator: str
    line: int
    change: str
    killed: bool
    seconds: float


def _wanted(operator: str) -> bool:
    kind, _, rest = operator.partition("Operator_")
    before, _, after = rest.partition("_")
    if kind == "core/ReplaceBinary":
        return any(before in family and after in family for family in (_ARITHMETIC, _SETS))
    if kind == "core/ReplaceComparison":
        return ("Is" in before) == ("Is" in after)
    return operator in _PLAIN


def _noise(tree: ast.Module) -> list[tuple[Place, Place]]:
    """Stretches of a module in which a fault is none: types, decorators, texts and messages."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(decorator_list=decorators, returns=returns):
                found += [*decorators, *([returns] if returns else [])]
            case ast.ClassDef(decorator_list=decorators):
                found += decorators
            case ast.arg(annotation=ast.AST() as annotation) | ast.AnnAssign(annotation=annotation):
                found.append(annotation)
            case ast.JoinedStr() | ast.Raise() | ast.Assert() | ast.ImportFrom():
                found.append(node)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                found.append(node)
    ends: list[Any] = found
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in ends]


def mutants_of(module: str) -> list[list[Mutant]]:
    """The faults that a module can have, those of one place and kind together."""
    source = (ROOT / f"{module}.py").read_text()
    noise = _noise(ast.parse(source))
    nodes = list(ast_nodes(get_ast(source)))
    places: dict[tuple[Place, str], list[Mutant]] = {}
    for name in sorted(filter(_wanted, operator_names())):
        operator, occurrence = get_operator(name)(), 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if not any(first <= start < last for first, last in noise):
                    family = name.partition("_")[0]
                    mutant = Mutant(module, name, occurrence, start[0])
                    places.setdefault((start, family), []).append(mutant)
                occurrence += 1
    return list(places.values())


def sample(domain: str, count: int, seed: int) -> list[Mutant]:
    """Draw places first, then a fault in each: operators have eight replacements, a loop one."""
    rng = random.Random(seed)
    places = [place for module in TARGETS[domain] for place in mutants_of(module)]
    rng.shuffle(places)
    drawn = [rng.choice(place) for place in places]
    spare = [m for place, one in zip(places, drawn, strict=True) for m in place if m != one]
    rng.shuffle(spare)
    chosen = (drawn + spare)[:count]
    return sorted(chosen, key=lambda m: (m.module, m.line, m.operator, m.occurrence))


def mutated(mutant: Mutant) -> tuple[str, str]:
    """The faulty source, and the changed lines."""
    source = (ROOT / f"{mutant.module}.py").read_text()
    faulty = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    diff = difflib.unified_diff(source.splitlines(), faulty.splitlines(), lineterm="", n=0)
    return faulty, "\n".join(line for line in diff if line[:3] not in ("---", "+++", "@@ "))


@singledispatch
def _functions(item: object) -> list[FunctionType]:
    return []


@_functions.register
def _(item: FunctionType) -> list[FunctionType]:
    inner = getattr(item, "__wrapped__", None)  # of functools.cache and the like
    return [item, *_functions(inner)]


@_functions.register(staticmethod)
@_functions.register(classmethod)
def _(item: Any) -> list[FunctionType]:
    return _functions(item.__func__)


@_functions.register
def _(item: property) -> list[FunctionType]:
    return _functions(item.fget)


@_functions.register
def _(item: cached_property) -> list[FunctionType]:  # type: ignore[type-arg]
    return _functions(item.func)


@_functions.register
def _(item: type) -> list[FunctionType]:
    return [f for value in vars(item).values() for f in _functions(value)]


def _own(module: ModuleType) -> dict[tuple[str, int], FunctionType]:
    """Functions that a module defines, by qualified name and place."""
    items = [*vars(module).values()]
    items += [f for d in items if isinstance(d, dict) for f in d.values()]  # tables of functions
    items += [item.__wrapped__ for item in items if hasattr(item, "cache_clear")]
    found = [f for item in items for f in _functions(item) if f.__module__ == module.__name__]
    return {(f.__qualname__, f.__code__.co_firstlineno): f for f in found}


def swap_in(module: str, source: str) -> bool:
    """Give a loaded module's functions and constants those of another source; whether any differ.

    Everything else keeps its identity, so it does not matter who has imported what.
    """
    name = "graphsched." + module.replace("/", ".")
    loaded = importlib.import_module(name)
    fresh = ModuleType(name)
    fresh.__file__ = loaded.__file__
    exec(compile(source, str(loaded.__file__), "exec"), vars(fresh))
    theirs, changed = _own(fresh), False
    for place, function in _own(loaded).items():
        for part in ("__code__", "__defaults__", "__kwdefaults__"):
            after = getattr(theirs[place], part)
            changed |= getattr(function, part) != after
            setattr(function, part, after)
    for key, value in vars(fresh).items():
        if not key.startswith("__") and _is_data(value):
            changed |= _set_everywhere(loaded, key, value)
    return changed


def _is_data(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(_is_data, value))
    return isinstance(value, bool | int | float | str | bytes | re.Pattern | np.ndarray)


def _set_everywhere(module: ModuleType, key: str, value: object) -> bool:
    """Change a constant of a module and wherever it was imported by its name."""
    before = vars(module)[key]
    if repr(before) == repr(value):
        return False
    setattr(module, key, value)
    for other in list(sys.modules.values()):
        ours = other.__name__.startswith(("graphsched.", "tests."))
        if ours and vars(other).get(key) is before and _imports(other, module):
            setattr(other, key, value)
    return True


def _imports(other: ModuleType, module: ModuleType) -> bool:
    """Whether a module takes names from another: equal constants of its own stay as they are."""
    return f"from {module.__name__} import" in inspect.getsource(other)


def run_tests(files: str) -> int:
    """Run test files until the first failure; pytest's exit status."""
    paths = [str(ROOT / "tests" / f"{name}.py") for name in files.split()]
    paths = [p for p in paths if Path(p).exists()]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header"]
    options += [
        "--hypothesis-profile=mutants",
        "--rootdir",
        str(ROOT),
        "--tb=no",
        "--disable-warnings",
    ]
    return int(pytest.main([*options, *paths]))


SURVIVED, UNCHANGED = 0, 100  # exit statuses; pytest's are below 10


def _child(mutant: Mutant, source: str, log: Path) -> int:
    """In a process of its own: `SURVIVED` if the tests pass in spite of the fault."""
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        changed = swap_in(mutant.module, source)
    except Exception:
        return 1  # it can't even be imported
    return run_tests(_tests_of(mutant.module)) if changed else UNCHANGED


def _tests_of(module: str) -> str:
    return next(t[module] for t in TARGETS.values() if module in t)


def _status(mutant: Mutant, source: str, log: Path, timeout_s: float) -> int:
    """How the child ended; nobody survives the time-out."""
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        status = 1
        try:
            status = _child(mutant, source, log)
        finally:
            os._exit(status)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 1


def _prepare(domain: str) -> dict[str, float]:
    """Load everything and see that all tests pass without a fault; seconds, by test files."""
    _register_profile()
    seconds = {}
    for files in dict.fromkeys(TARGETS[domain].values()):
        for _ in range(2):  # the second time nothing is loaded any more
            began = time.monotonic()
            if run_tests(files):
                sys.exit(f"the tests fail without a fault: {files}")
            seconds[files] = time.monotonic() - began
        print(f"{files}: {seconds[files]:.1f} s", flush=True)
    gc.collect()
    gc.freeze()  # or the first collection of each child would copy all of the parent's memory
    return seconds


def _register_profile() -> None:
    """The same examples every time; a failure counts, however long its example is."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    checks = (hypothesis.HealthCheck.too_slow,)
    hypothesis.settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=phases,
        suppress_health_check=checks,
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("domain", choices=list(TARGETS))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", default="", help="of the sample, only modules with this name")
    parser.add_argument("--again", action="store_true", help="only those that survived last time")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "mutants")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = sample(options.domain, options.count, options.seed)
    usual = _prepare(options.domain)
    report = options.out / f"{options.domain}.json"
    if options.again:
        left = {(o["module"], o["operator"], o["line"], o["change"]) for o in _survivors(report)}
        chosen = [m for m in chosen if (m.module, m.operator, m.line, mutated(m)[1]) in left]
    outcomes = []
    for mutant in chosen:
        if not mutant.module.endswith(options.module):
            continue
        source, change = mutated(mutant)
        began = time.monotonic()
        timeout_s = TIMEOUT_S + SLOWER * usual[_tests_of(mutant.module)]
        status = _status(mutant, source, options.out / "last.log", timeout_s)
        seconds = round(time.monotonic() - began, 2)
        if status == UNCHANGED:
            print(f"can't be planted in a loaded module: {mutant}")
            continue
        survived = status == SURVIVED
        outcomes.append(
            Outcome(mutant.module, mutant.operator, mutant.line, change, not survived, seconds)
        )
        report.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))
        if survived:
            print(f"\n{mutant.module}.py:{mutant.line}\n{change}", flush=True)
    survivors = Counter(o.module for o in outcomes if not o.killed)
    print(
        f"\n{options.domain}: {len(outcomes)} mutants, {len(outcomes) - survivors.total()} killed"
    )
    for module, number in survivors.items():
        print(f"{number} survive in {module}.py")


def _survivors(report: Path) -> list[dict[str, Any]]:
    return [outcome for outcome in json.loads(report.read_text()) if not outcome["killed"]]


if __name__ == "__main__":
    main()
