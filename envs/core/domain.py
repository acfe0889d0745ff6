"""The contract that a scheduling domain fulfils; everything else is written against it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.knobs import Knobs, Settings, checked_settings, read_settings, written

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema, StaticGraph
    from graphsched.envs.core.parts.hidden import HiddenRule
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
Follow = Callable[
    ["Any", "NDArray[np.int64]", Sequence[SolutionT]],
    "tuple[NDArray[np.int64], NDArray[np.bool_]]",
]
"""How a solution becomes decisions, see `Domain.follow`."""


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
        temperature: strength of what makes samples after the first differ: standard deviation of
            the noise on priorities over their spread (on weights over their mean size, for
            evolved linear rules). None: the baseline's own.
        time_limit_s: limit of anytime solvers: processor time of this process, `clock.cpu_s`.
        workers: threads of exact solvers.
        simulator: the domain's simulator options (None: its defaults).
        settings: of the baseline's knobs; those that aren't named have their defaults.
    """

    seed: int = 0
    samples: int = 1
    temperature: float | None = None
    time_limit_s: float = 60.0
    workers: int = 1
    simulator: Any = None
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline(Generic[InstanceT, SolutionT]):
    """A named way to solve instances without learning at solve time.

    Attributes:
        make: builds the solver; raises InputError if it can't (a missing extra, say).
        summary: one line with the source.
        is_rule: takes part in "best rule" comparisons (deterministic, fast, hand-written).
        is_exact: may prove optimality, which ends it before its time limit.
        is_anytime: goes on to improve until ``time_limit_s`` (exact solvers do, too).
        aliases: older names that commands still take.
        knobs: name -> what ``graphsched tune --baseline`` sweeps; the solver obeys
            `SolverOptions.settings` of them.
    """

    make: Callable[[SolverOptions], Callable[[InstanceT], SolutionT]]
    summary: str
    is_rule: bool = False
    is_exact: bool = False
    is_anytime: bool = False
    aliases: tuple[str, ...] = ()
    knobs: Knobs = field(default_factory=dict)

    def with_settings(self, settings: Settings) -> Baseline[InstanceT, SolutionT]:
        """The baseline as it is with these settings, which then are no knobs any more."""
        summary = f"{self.summary}; {written(settings)}" if settings else self.summary
        make = partial(_make_with, self.make, settings)
        return replace(self, make=make, summary=summary, knobs={}, aliases=())


def _make_with(
    make: Callable[[SolverOptions], Any], settings: Settings, told: SolverOptions
) -> Any:
    return make(replace(told, settings=settings))


@dataclass(frozen=True)
class Improver(Generic[InstanceT, SolutionT]):
    """A named search that sets out from solutions; `Domain.improve` calls it.

    Attributes:
        search: (instance, solutions to start from, one or more; seconds of this process's
            processor time; seed) -> the best solution met. A seed gives the same moves, so a
            result depends on the machine only through the number of moves that fit the time.
        summary: one line with the source.
        serves: whether the search applies to an instance; to all if None.
    """

    search: Callable[[InstanceT, Sequence[SolutionT], float, int], SolutionT]
    summary: str
    serves: Callable[[InstanceT], bool] | None = None


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


def nothing_hidden(sim: BatchSim[Any, Any], slots: Sequence[int], seeds: Sequence[int]) -> bool:
    """`Domain.redraw` where an instance tells all that will happen."""
    del sim, slots, seeds
    return False


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
        improvers: name -> search that improves solutions, see `improve`.
        symmetries: name -> equivalent views offered as decoding options.
        render_text, render_rgb, render_html: pictures of a solution; RGB is (H, W, 3) uint8,
            HTML a self-contained page.
        instance_from_json, solution_from_json: inverse of ``to_json``; raise InputError.
        presets: TOML file with training presets.
        commands: further commands of the domain: name -> function taking the remaining words.
        shipped: name of the shipped policy that serves an instance; ``default`` for all if None.
        anytime: the contender that does best on an instance where a time limit is given, as
            `eval.solvers.words.parse_word` reads it; the domain's default policy if None.
        metrics: further measures of a solution, name with unit -> value, for reports.
        measures: further metrics for ``graphsched bench``, given the processor time for each, s.
        perturb: a small random change that keeps an instance valid and of about its size, under a
            name that no benchmark instance has; None where instances can't be varied.
        cost_ratios: whether a cost twice as high is twice as bad, as of durations; False for
            points and the like, which are compared by their difference.
        follow: (simulator, (N,) waiting slots, the solution that each is to follow) -> (N,) int64
            the candidate that comes closest to what the solution does at the pending decision,
            and (N,) bool whether it is just that. Raises InputError for solutions that can't be
            followed. None where a solution doesn't tell its decisions.
        finish: (simulator, a slot with an episode, its instance, a solution of that, moves, seed)
            -> the best solution found, by so many moves of a search, that goes on from the slot's
            situation, setting out from what the given one makes of the rest. Teachers label a
            policy's decisions by it. None where there is no such search.
        redraw: (simulator, slots, seeds) -> whether anything is hidden there: draws anew, in each
            slot, what an episode's decisions can't know yet, such as arrivals, from what is known.
            None where that isn't known how; then nothing may be tried out before it is decided.
        standing: (simulator, (N,) slots, (N,) the usual cost of each one's episode) -> (N,) float64
            what each has cost so far, in the unit of the objective, what is under way being valued:
            where copies of an episode, cut off at the same time, are compared. None: the rewards say
            it.
        hidden_rules: file -> rules of which a policy may set out (``network.hidden_rule``), by the kind
            of decision that each is for. Raises InputError. None where there are no such files.
        span: simulated time that is one horizon long, on an instance, as ``elapsed`` of
            `StepResult` counts it: about as long as consequences last. None: a decision.
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
    improvers: Mapping[str, Improver[InstanceT, SolutionT]] = field(default_factory=dict)
    commands: Mapping[str, Callable[[Sequence[str]], int]] = field(default_factory=dict)
    shipped: Callable[[InstanceT], str] | None = None
    anytime: Callable[[InstanceT], str] | None = None
    metrics: Callable[[InstanceT, SolutionT], Mapping[str, float]] | None = None
    measures: Callable[[float], Mapping[str, float]] | None = None
    perturb: Callable[[InstanceT, np.random.Generator], InstanceT] | None = None
    cost_ratios: bool = True
    follow: Follow[SolutionT] | None = None
    finish: (
        Callable[[BatchSim[Any, Any], int, InstanceT, SolutionT, int, int], SolutionT] | None
    ) = None
    redraw: Callable[[BatchSim[Any, Any], Sequence[int], Sequence[int]], bool] | None = None
    standing: (
        Callable[[BatchSim[Any, Any], Sequence[int], Sequence[float]], NDArray[np.float64]] | None
    ) = None
    hidden_rules: Callable[[Path], Mapping[int, HiddenRule]] | None = None
    span: Callable[[InstanceT], float] | None = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickled by name, if the name leads here: other processes have the same domains."""
        from graphsched.envs.core.registry import get_domain, has_domain

        if has_domain(self.name) and get_domain(self.name) is self:
            return get_domain, (self.name,)
        return super().__reduce_ex__(protocol)

    def preset_tables(self) -> dict[str, Any]:
        """What the file of presets holds: ``train``, ``suites`` and whatever else it has."""
        return tomllib.loads(self.presets.read_text(encoding="utf-8"))

    def baseline(
        self, name: str, options: SolverOptions | None = None
    ) -> Callable[[InstanceT], SolutionT]:
        """Solver of a named baseline. Raises InputError for an unknown name or a bad setting."""
        found, told = self.known_baseline(name), options or SolverOptions()
        settings = checked_settings(found.knobs, told.settings, f"baseline {name!r}: settings")
        return found.make(replace(told, settings=settings))

    def known_baseline(self, name: str) -> Baseline[InstanceT, SolutionT]:
        """A baseline by its name or an older one. Raises InputError for an unknown name."""
        name = self.current_name(name)
        if name not in self.baselines:
            known = ", ".join(sorted(self.baselines))
            raise InputError(f"baseline {name!r}", f"not one of {known}")
        return self.baselines[name]

    def with_tuned(self, names: Iterable[str]) -> Domain[InstanceT, SolutionT]:
        """The domain with a baseline more for each ``BASELINE:FILE`` among the names.

        The file holds settings of the baseline's knobs, as ``graphsched tune`` writes them.

        Raises:
            InputError: an unknown baseline, one without knobs, or a file that isn't of it.
        """
        added = {}
        for name in dict.fromkeys(names):
            base, colon, file = name.partition(":")
            if colon and name not in self.baselines:
                added[name] = self._tuned(self.current_name(base), file)
        return replace(self, baselines={**self.baselines, **added}) if added else self

    def _tuned(self, name: str, file: str) -> Baseline[InstanceT, SolutionT]:
        found = self.known_baseline(name)
        if not found.knobs:
            having = ", ".join(n for n, b in self.baselines.items() if b.knobs) or "none"
            problem = f"has no knobs to read {file!r:.60} for; those that have: {having}"
            raise InputError(f"baseline {name!r}", problem)
        return found.with_settings(read_settings(Path(file), self.name, name, found.knobs))

    @property
    def aliases(self) -> dict[str, str]:
        """Older names of baselines -> their names."""
        return {old: name for name, b in self.baselines.items() for old in b.aliases}

    def current_name(self, name: str) -> str:
        """A baseline's name by an older one; any other name as it is."""
        return name if name in self.baselines else self.aliases.get(name, name)

    def symmetry(self, name: str) -> Symmetry[InstanceT, SolutionT]:
        """A named symmetry. Raises InputError for an unknown name."""
        if name not in self.symmetries:
            known = ", ".join(self.symmetries) or "none: this domain has no symmetry"
            raise InputError(f"symmetry {name!r:.40}", f"not one of {known}")
        return self.symmetries[name]

    def views(
        self, names: Sequence[str], instance: InstanceT
    ) -> list[tuple[InstanceT, Callable[[SolutionT], SolutionT]]]:
        """The instance and its equivalents, each with what restores a solution of the instance.

        Args:
            names: of symmetries; those that don't hold for the instance are left out.
            instance: comes first, as it is.

        Raises:
            InputError: unknown name.
        """
        out: list[tuple[InstanceT, Callable[[SolutionT], SolutionT]]]
        out = [(instance, lambda solution: solution)]
        for symmetry in [self.symmetry(name) for name in names]:
            try:
                view = symmetry.apply(instance)
            except InputError:
                continue  # the symmetry does not hold here
            out.append((view, partial(symmetry.restore, instance)))
        return out

    def improver(self, name: str) -> Improver[InstanceT, SolutionT]:
        """A named improver. Raises InputError for an unknown name."""
        if name not in self.improvers:
            known = ", ".join(sorted(self.improvers)) or f"none: {self.name} has no improver"
            raise InputError(f"improver {name!r:.40}", f"not one of {known}")
        return self.improvers[name]

    def improve(
        self,
        name: str,
        instance: InstanceT,
        starts: Sequence[SolutionT],
        time_limit_s: float,
        seed: int = 0,
    ) -> SolutionT:
        """A solution at least as good as the best of those given, by a named improver.

        Args:
            name: of the improver.
            instance: that is solved.
            starts: one or more feasible solutions.
            time_limit_s: processor time of this process.
            seed: of the search.

        Raises:
            InputError: unknown name, or an improver that doesn't apply to the instance.
            RuntimeError: the improver broke its promise and returned something worse.
        """
        improver = self.improver(name)
        if improver.serves is not None and not improver.serves(instance):
            raise InputError(f"improver {name!r}", f"does not apply to {instance.name!r:.40}")
        best = min(starts, key=lambda solution: self.cost(instance, solution))
        found = improver.search(instance, starts, time_limit_s, seed)
        before, after = self.cost(instance, best), self.cost(instance, found)
        if not after <= before + 1e-9 * abs(before):
            raise RuntimeError(f"{name} made {instance.name!r} worse: {before:g} to {after:g}")
        return found
