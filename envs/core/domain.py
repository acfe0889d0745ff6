"""The contract that a scheduling domain fulfils; everything else is written against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema, StaticGraph
    from graphsched.envs.core.sim import BatchSim


class Instance(Protocol):
    """Validated, frozen problem data."""

    @property
    def name(self) -> str:
        """Name shown in reports; not necessarily unique."""
        ...

    def to_json(self) -> dict[str, Any]:
        """A JSON document that `Domain.instance_from_json` reads back."""
        ...


class Solution(Protocol):
    """Validated, frozen result; carries the cost it claims, which the checker re-derives."""

    def to_json(self) -> dict[str, Any]:
        """A JSON document that `Domain.solution_from_json` reads back."""
        ...


InstanceT = TypeVar("InstanceT", bound=Instance)
SolutionT = TypeVar("SolutionT", bound=Solution)
Solver = Callable[[InstanceT], SolutionT]
"""Every solver is this one type: a rule, an exact solver, a policy however decoded."""


@dataclass(frozen=True)
class Violation:
    """One way in which a solution breaks its instance's rules."""

    kind: str  # short stable name, e.g. "overlap"
    message: str  # one line naming the place and the values


@dataclass(frozen=True)
class SolverOptions:
    """What any baseline can be told; each uses what applies to it.

    Attributes:
        seed: stream of random numbers.
        samples: best of this many runs with perturbed priorities (1: deterministic).
        time_limit_s: wall-clock limit of anytime solvers.
        workers: threads of exact solvers.
        simulator: the domain's simulator options (None: its defaults).
    """

    seed: int = 0
    samples: int = 1
    time_limit_s: float = 60.0
    workers: int = 1
    simulator: Any = None


@dataclass(frozen=True)
class Baseline(Generic[InstanceT, SolutionT]):
    """A named way to solve instances without learning at solve time.

    Attributes:
        make: builds the solver; raises InputError if it can't (a missing extra, say).
        summary: one line with the source.
        is_rule: takes part in "best rule" comparisons (deterministic, fast, hand-written).
        is_exact: improves with time and may prove optimality.
    """

    make: Callable[[SolverOptions], Callable[[InstanceT], SolutionT]]
    summary: str
    is_rule: bool = False
    is_exact: bool = False


@dataclass(frozen=True)
class Symmetry(Generic[InstanceT, SolutionT]):
    """An equivalent view of an instance (time reversal, say) to decode as well.

    Attributes:
        apply: the equivalent instance; raises InputError where the symmetry does not hold.
        restore: solution of the original instance from one of the equivalent instance.
    """

    apply: Callable[[InstanceT], InstanceT]
    restore: Callable[[InstanceT, SolutionT], SolutionT]


@dataclass(frozen=True)
class Library(Generic[InstanceT]):
    """Named benchmark instances.

    Attributes:
        sets: set name -> instance names in their usual order; a set may be narrowed by group,
            as in ``taillard:15x15``.
        load: instance by name.
    """

    sets: Mapping[str, tuple[str, ...]]
    load: Callable[[str], InstanceT]


@dataclass(frozen=True)
class Domain(Generic[InstanceT, SolutionT]):
    """One scheduling domain: plain simulation and data, nothing of learning.

    Attributes:
        name: lower-case name used on the command line and in bundles.
        env_id: Gymnasium id without namespace, e.g. ``JobShop-v0``.
        schema: names, widths and units of every feature.
        options: frozen dataclass of simulator options; its defaults are the domain's.
        simulator: (number of slots, options) -> simulator.
        static_graph: the static graph of an instance, as the simulator stores it.
        generators: name -> (random generator, size such as ``20x15`` or "") -> instance. ``toy``
            is always there, ignores its size and has the documented optimum `toy_optimum`.
        readers: format name -> reader of that file format. ``auto`` recognises every format.
        library: named benchmark instances.
        check: every violated rule of a solution, its claimed cost included; written
            independently of the simulator.
        cost, lower_bound, best_known: objective (minimised), a valid bound on it, and the best
            published value if there is one.
        group: the row of a report that an instance belongs to (its size, say).
        objective: name and unit of the cost, for tables.
        baselines: name -> baseline.
        symmetries: name -> equivalent views offered as decoding options.
        render_text, render_rgb, render_html: pictures of a solution; RGB is (H, W, 3) uint8,
            HTML a self-contained page.
        instance_from_json, solution_from_json: inverse of ``to_json``; raise InputError.
        presets: TOML file with training presets.
        commands: further commands of the domain: name -> function taking the remaining words.
        shipped: name of the shipped policy that serves an instance; ``default`` for all if None.
        metrics: further measures of a solution, name with unit -> value, for reports.
        measures: further metrics for ``graphsched bench``, given the processor time for each, s.
    """

    name: str
    env_id: str
    schema: GraphSchema
    options: type[Any]
    simulator: Callable[[int, Any], BatchSim[InstanceT, SolutionT]]
    static_graph: Callable[[InstanceT], StaticGraph]
    generators: Mapping[str, Callable[[np.random.Generator, str], InstanceT]]
    toy_optimum: float
    readers: Mapping[str, Callable[[Path], InstanceT]]
    library: Library[InstanceT]
    check: Callable[[InstanceT, SolutionT], list[Violation]]
    cost: Callable[[InstanceT, SolutionT], float]
    lower_bound: Callable[[InstanceT], float]
    best_known: Callable[[InstanceT], float | None]
    group: Callable[[InstanceT], str]
    objective: str
    baselines: Mapping[str, Baseline[InstanceT, SolutionT]]
    symmetries: Mapping[str, Symmetry[InstanceT, SolutionT]]
    render_text: Callable[[InstanceT, SolutionT], str]
    render_rgb: Callable[[InstanceT, SolutionT], NDArray[np.uint8]]
    render_html: Callable[[InstanceT, SolutionT], str]
    instance_from_json: Callable[[Mapping[str, Any]], InstanceT]
    solution_from_json: Callable[[InstanceT, Mapping[str, Any]], SolutionT]
    presets: Path
    commands: Mapping[str, Callable[[Sequence[str]], int]] = field(default_factory=dict)
    shipped: Callable[[InstanceT], str] | None = None
    metrics: Callable[[InstanceT, SolutionT], Mapping[str, float]] | None = None
    measures: Callable[[float], Mapping[str, float]] | None = None

    def baseline(
        self, name: str, options: SolverOptions | None = None
    ) -> Callable[[InstanceT], SolutionT]:
        """Solver of a named baseline. Raises InputError for an unknown name."""
        if name not in self.baselines:
            known = ", ".join(sorted(self.baselines))
            raise InputError(f"baseline {name!r}", f"not one of {known}")
        return self.baselines[name].make(options or SolverOptions())
