"""The game as a model of CP-SAT: stays with offsets, and copies by what the link can move.

Of each access it is decided whether fast memory serves it, whether the contents were there since the
access before, when a copy in begins and a copy out ends, and at which offset. A stay's parts, one for
each access and one for each copy out, are rectangles of time and memory that don't overlap. Copies
are cut into what is moved beside each instruction. All times are whole numbers of `STEPS` in the
latency with everything in slow memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.memory.pricing.stays import empty_stays, room_for_copies

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from graphsched.envs.memory.physics.program import Problem

    Ints = NDArray[np.int64]

STEPS = 2**34
SLACK = 2e-7  # of a copy's bytes, for rounding; the checker lets five times as much pass


class Copy(NamedTuple):
    """A copy that may be made.

    Attributes:
        made: whether it is.
        edge: instruction at which a copy in begins, or before which one out is done.
        first: instruction at which its parts begin.
        parts: what is moved beside each instruction from there on, in steps of the link.
    """

    made: Any
    edge: Any
    first: int
    parts: list[Any]


class Model(NamedTuple):
    """Variables of each access: A of them; None where something is impossible.

    Attributes:
        model: CP-SAT's.
        fast: (A,) served by fast memory.
        kept: (A,) there since the access before.
        dirty: (A,) slow memory is stale after it.
        offset: (A,) in units of the alignment.
        into: (A,) the copy before it.
        out: (A,) the copy after it.
        steps: of an us.
    """

    model: Any
    fast: list[Any]
    kept: list[Any]
    dirty: list[Any]
    offset: list[Any]
    into: list[Copy | None]
    out: list[Copy | None]
    steps: float


def parts_of(p: Problem) -> int:
    """How many parts all copies have together, which says how large the model is."""
    low, high = _gaps(p)
    return int((p.access_time - low + high - p.access_time - 1).sum())


def _gaps(p: Problem) -> tuple[Ints, Ints]:
    """(A,) the instruction after the access before, and that of the next access."""
    storage, t = p.access_storage, p.access_time
    is_first, is_last = np.ones((2, len(t)), np.bool_)
    is_first[1:] = is_last[:-1] = storage[1:] != storage[:-1]
    return np.where(is_first, 0, np.roll(t, 1) + 1), np.where(
        is_last, len(p.compute), np.roll(t, -1)
    )


class _Builder:
    """Adds the variables and constraints of a program to a model."""

    def __init__(self, cp_model: ModuleType, p: Problem, alignment: int) -> None:
        self.p, self.alignment, self.model = p, alignment, cp_model.CpModel()
        self.steps = STEPS / max(float(np.maximum(p.compute, p.slow_all * p.slow_us).sum()), 1e-300)
        self.windows = empty_stays(p, 1)
        room_for_copies(p, self.windows)
        self.low, self.high = _gaps(p)
        self.need = (p.copy_bytes * (1 - SLACK) * p.slow_us * self.steps).astype(np.int64)
        self.moved: list[list[Any]] = [[] for _ in p.compute]
        self.wide: list[Any] = []
        self.tall: list[Any] = []

    def build(self) -> Model:
        """The whole model."""
        p, model = self.p, self.model
        count = len(p.access_time)
        fast: list[Any] = [model.new_bool_var("") for _ in range(count)]
        self.made = Model(model, fast, [], [], [], [], [], self.steps)
        for k in range(count):
            self._access(k)
        for k in range(count):
            self._out(k)
        model.add_no_overlap_2d(self.wide, self.tall)
        self._durations()
        return self.made

    def _access(self, k: int) -> None:
        """Access k is served by fast memory: contents were kept, copied in, or are produced."""
        p, model, made = self.p, self.model, self.made
        g, t, low = int(p.access_storage[k]), int(p.access_time[k]), int(self.low[k])
        fast, is_first = made.fast[k], k == p.access_ptr[g]
        kept = None if is_first else model.new_bool_var("")
        copy = None
        if self.windows.latest[k] >= 0 and (p.live_in[g] or not is_first):
            copy = self._copy(g, low, low, int(self.windows.latest[k]), low, t)
        ways = [kept] if kept is not None else []
        ways += [copy.made] if copy is not None else []
        is_produced = is_first and not p.live_in[g]
        most = (p.capacity - int(p.copy_bytes[g])) // self.alignment
        if most < 0 or (not ways and not is_produced):
            model.add(fast == 0)
        if not is_produced:
            model.add(sum(ways) == fast)
        offset = model.new_int_var(0, max(most, 0), "")
        start = model.new_int_var(low, t, "")
        if kept is not None:
            model.add_implication(kept, made.fast[k - 1])
            model.add(offset == made.offset[k - 1]).only_enforce_if(kept)
            model.add(start == low).only_enforce_if(kept)
        if copy is not None:
            model.add(start == copy.edge).only_enforce_if(copy.made)
        if is_produced:
            model.add(start == t)
        self._rectangle(g, start, t + 1, offset, fast)
        made.kept.append(kept)
        made.offset.append(offset)
        made.into.append(copy)
        made.dirty.append(self._dirty(k, kept))

    def _dirty(self, k: int, kept: Any) -> Any:
        """Whether slow memory is stale after access k."""
        made = self.made
        if self.p.access_writes[k]:
            return made.fast[k]
        if kept is None:
            return 0
        dirty, before = self.model.new_bool_var(""), made.dirty[k - 1]
        self.model.add(dirty <= kept)
        self.model.add(dirty <= before)
        self.model.add(dirty >= kept + before - 1)
        return dirty

    def _out(self, k: int) -> None:
        """What access k leaves in fast memory only is copied out unless it is kept or done with."""
        p, model, made = self.p, self.model, self.made
        g, t, high = int(p.access_storage[k]), int(p.access_time[k]), int(self.high[k])
        is_last = k + 1 == p.access_ptr[g + 1]
        if is_last and not p.live_out[g]:
            made.out.append(None)
            return
        kept = 0 if is_last else made.kept[k + 1]
        if self.windows.earliest[k] < 0:
            model.add(made.dirty[k] <= kept)
            made.out.append(None)
            return
        copy = self._copy(g, t + 1, int(self.windows.earliest[k]), high, t + 1, high, is_out=True)
        model.add(copy.made >= made.dirty[k] - kept)
        model.add(copy.made <= made.dirty[k])
        model.add(copy.made + kept <= 1)
        after = None if is_last else made.into[k + 1]
        if after is not None:
            model.add(copy.edge <= after.edge).only_enforce_if([copy.made, after.made])
        self._rectangle(g, t + 1, copy.edge, made.offset[k], copy.made)
        made.out.append(copy)

    def _copy(
        self, g: int, first: int, least: int, most: int, low: int, high: int, is_out: bool = False
    ) -> Copy:
        """A copy with its edge in [least, most] and its parts in [low, high)."""
        model, need = self.model, int(self.need[g])
        made, edge = model.new_bool_var(""), model.new_int_var(least, most, "")
        parts = []
        for t in range(low, high):
            part = model.new_int_var(0, need, "")
            if (t >= least) if is_out else (t < most):  # else it is inside whatever the edge
                inside = model.new_bool_var("")
                bound = edge >= t + 1 if is_out else edge <= t
                model.add(bound).only_enforce_if(inside)
                model.add(part <= need * inside)
            self.moved[t].append(part)
            parts.append(part)
        model.add(sum(parts) == need * made)
        return Copy(made, edge, first, parts)

    def _rectangle(self, g: int, start: Any, end: Any, offset: Any, present: Any) -> None:
        model = self.model
        length = model.new_int_var(0, len(self.p.compute), "")
        height = int(self.p.size[g]) // self.alignment
        self.wide.append(model.new_optional_interval_var(start, length, end, present, ""))
        self.tall.append(model.new_optional_fixed_size_interval_var(offset, height, present, ""))

    def _durations(self) -> None:
        """Instructions take the larger of arithmetic and traffic; copies what the link has left."""
        p, model, steps = self.p, self.model, self.steps
        slow = np.round(p.access_bytes * p.slow_us * steps).astype(np.int64).tolist()
        quick = np.round(p.access_bytes * p.fast_us * steps).astype(np.int64).tolist()
        mine: list[list[int]] = [[] for _ in p.compute]
        for k, t in enumerate(p.access_time.tolist()):
            mine[t].append(k)
        total = []
        for t, accesses in enumerate(mine):
            arithmetic = int(np.round(p.compute[t] * steps))
            fast = self.made.fast
            link = sum(slow[k] * (1 - fast[k]) for k in accesses)
            moving = link + sum(quick[k] * fast[k] for k in accesses)
            most = max(arithmetic, sum(slow[k] for k in accesses))
            duration = model.new_int_var(arithmetic, most, "")
            model.add_max_equality(duration, [arithmetic, moving])
            if self.moved[t]:
                copied = sum(self.moved[t])
                model.add(copied + link <= duration)
                model.add(copied <= int(p.cap[t] * p.slow_us * steps))
            total.append(duration)
        model.minimize(sum(total))


def build(cp_model: ModuleType, p: Problem, alignment: int) -> Model:
    """The model of a program."""
    return _Builder(cp_model, p, alignment).build()
