"""Instances: requests with their targets, and the replicas that serve them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.batching.hardware.catalogue import BLOCK
from graphsched.envs.batching.hardware.iteration_time import HOP_LATENCY_S, linear_table
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import (
    check_head,
    check_names,
    integers,
    number_row,
    read_edges,
    read_entries,
    read_integer,
    read_list,
    read_name,
    read_number,
)
from graphsched.envs.core.parts.values import python_scalars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MAX_TOKENS = 10**7  # of a prompt
MAX_OUTPUT = 200_000  # tokens; each takes an iteration
MAX_REQUESTS = 10**6
MAX_SEGMENTS = 2 * MAX_REQUESTS  # of prefixes
MAX_SHARE = 1e6
NO_GROUP = -1
ROLES = ("both", "prefill", "decode")  # of replicas
LINK_BANDWIDTH = 25e9  # B/s, of a network adapter of 200 Gbit/s


@dataclass(frozen=True)
class Replica:
    """A copy of a model on one or several GPUs.

    Attributes:
        gpu: name of the GPU, or path of a profile CSV.
        model: name of the model.
        kv_blocks: KV blocks of 16 tokens.
        tp: GPUs that share it (tensor parallelism).
        imbalance: load of the busiest expert over the mean (mixtures of experts).
        role: what it computes: ``prefill`` prompts and their first tokens, which others go on from,
            ``decode`` what others have begun, or ``both``.
    """

    gpu: str = "a100"
    model: str = "llama-3-8b"
    kv_blocks: int = 30_208
    tp: int = 1
    imbalance: float = 1.0
    role: str = "both"

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        for name, most in (("kv_blocks", 10**9), ("tp", 64)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                expected = f"expected a count in [1, {most}], found {value!r:.40}"
                raise InputError(f"replica.{name}", expected)
        if type(self.imbalance) not in (int, float) or not 1 <= self.imbalance <= 64:
            problem = f"expected a number in [1, 64], found {self.imbalance!r:.40}"
            raise InputError("replica.imbalance", problem)
        if self.role not in ROLES:
            problem = f"not one of {', '.join(ROLES)}: {self.role!r:.40}"
            raise InputError("replica.role", problem)
        linear_table(self.gpu, self.model, self.tp, float(self.imbalance))


@dataclass(frozen=True, eq=False)
class Requests:
    """Requests in order of arrival, as struct of arrays. N requests.

    Attributes:
        arrival_s: (N,) float64, when each arrives; a later stage of a workflow comes when the
            stages before it are served, and has its workflow's arrival here.
        prompt: (N,) int64 >= 1, tokens, 10,000,000 at most.
        output: (N,) int64 >= 1, tokens, 200,000 at most; hidden from schedulers.
        predicted: (N,) int64 >= 1, what a predictor says of the output.
        group: (N,) int64, segment of the tree of `Prefixes` in which its prompt ends; -1 for none.
            The path to a segment's end is one sequence of tokens (a conversation, a document, a
            system prompt).
        shared: (N,) int64 in [0, prompt], first tokens of the prompt that are the path's.
        extends: (N,) int64 in [shared, prompt + output], tokens of prompt and output that belong
            to the path once they are computed.
        tenant: (N,) int64 >= 0.
        priority: (N,) int64, larger goes first where a rule cares.
        weight: (N,) float64 >= 0 in the cost.
        ttft_s, tpot_s, deadline_s: (N,) float64 > 0, targets: time to first token, mean time of
            each further token, time from ``arrival_s`` to the last token; inf for none.
    """

    arrival_s: Floats
    prompt: Ints
    output: Ints
    predicted: Ints
    group: Ints
    shared: Ints
    extends: Ints
    tenant: Ints
    priority: Ints
    weight: Floats
    ttft_s: Floats
    tpot_s: Floats
    deadline_s: Floats

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field and the request."""
        python_scalars(self)
        size = len(np.asarray(self.arrival_s).reshape(-1))
        if not 1 <= size <= MAX_REQUESTS:
            raise InputError("requests", f"expected 1 to {MAX_REQUESTS}, found {size}")
        for field in fields(self):
            whole = field.name not in FLOATS
            object.__setattr__(self, field.name, _column(self, field.name, whole, size))
        if (falls := np.flatnonzero(np.diff(self.arrival_s) < 0)).size:
            k = int(falls[0]) + 1
            problem = (
                f"expected times that rise, found {self.arrival_s[k]} after {self.arrival_s[k - 1]}"
            )
            raise InputError(f"requests[{k}].arrival_s", problem)
        limits = {
            "arrival_s": (0.0, 1e9),
            "prompt": (1, MAX_TOKENS),
            "output": (1, MAX_OUTPUT),
            "predicted": (1, MAX_TOKENS),
            "group": (NO_GROUP, MAX_SEGMENTS - 1),
            "shared": (0, self.prompt),
            "extends": (self.shared, self.prompt + self.output),
            "tenant": (0, 10**6),
            "weight": (0.0, 1e6),
        }
        for name, (low, high) in limits.items():
            _check_range(getattr(self, name), low, high, name)
        for name in TARGETS:
            _check_range(getattr(self, name), 1e-9, np.inf, name)
        if not self.weight.sum() > 0:
            raise InputError("requests.weight", "expected one above 0 at least")

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)

    @cached_property
    def num_groups(self) -> int:
        """Number of prefix groups that requests name."""
        return int(self.group.max(initial=NO_GROUP)) + 1


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The tree of prompts' prefixes. G segments, each of which goes on without an end.

    Attributes:
        parent: (G,) int64, number of the segment that a segment branches off, below its own; -1 for
            none.
        start: (G,) int64, tokens of the path before it, a multiple of 16: the path of a segment is
            its parent's first ``start`` tokens, not fewer than the parent's own start, and then its
            own. 0 without a parent.
    """

    parent: Ints
    start: Ints

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field and the segment."""
        size = np.asarray(self.parent).size
        if size > MAX_SEGMENTS:
            raise InputError("prefixes", f"expected {MAX_SEGMENTS} at most, found {size}")
        for name in ("parent", "start"):
            object.__setattr__(self, name, _integers(getattr(self, name), f"prefixes.{name}", size))
        parent, start, number = self.parent, self.start, np.arange(size)
        above = np.where(parent >= 0, start[np.clip(parent, 0, number)], 0) if size else start
        for name, wrong, expected in (
            ("parent", (parent < NO_GROUP) | (parent >= number), "a number below its own, or -1"),
            ("start", (start < above) | (start > MAX_TOKENS), "the parent's start at least"),
            ("start", start % BLOCK != 0, f"a multiple of {BLOCK}"),
            ("start", (parent < 0) & (start != 0), "0 where there is no parent"),
        ):
            if wrong.any():
                g = int(np.argmax(wrong))
                found = int(getattr(self, name)[g])
                raise InputError(f"prefixes.{name}[{g}]", f"expected {expected}, found {found}")

    def __len__(self) -> int:
        """Number of segments."""
        return len(self.parent)


def roots(count: int) -> Prefixes:
    """So many segments that have nothing in common."""
    return Prefixes(np.full(count, NO_GROUP), np.zeros(count, np.int64))


def narrowed(prefixes: Prefixes, groups: Ints) -> tuple[Prefixes, Ints]:
    """The segments that requests (N,) of groups end in or pass, and their numbers there (N,)."""
    parent, start = prefixes.parent, prefixes.start
    known = np.zeros(len(parent), bool)
    known[groups[groups >= 0]] = True
    for g in np.flatnonzero(known)[::-1].tolist():
        while (g := int(parent[g])) >= 0 and not known[g]:
            known[g] = True
    number = np.append(np.cumsum(known) - 1, NO_GROUP)  # that of -1 is -1
    return Prefixes(number[parent[known]], start[known]), number[groups]


TARGETS = ("ttft_s", "tpot_s", "deadline_s")
FLOATS = ("arrival_s", "weight", *TARGETS)


def _column(requests: Requests, name: str, whole: bool, size: int) -> NDArray[Any]:
    values = np.asarray(getattr(requests, name))
    if values.shape != (size,) or values.dtype.kind not in ("iu" if whole else "iuf"):
        kind = "integers" if whole else "numbers"
        problem = f"expected {size} {kind}, found {values.dtype} of shape {values.shape}"
        raise InputError(f"requests.{name}", problem)
    if np.isnan(values).any():
        k = int(np.flatnonzero(np.isnan(values))[0])
        raise InputError(f"requests[{k}].{name}", "expected a number, found NaN")
    out = values.astype(np.int64 if whole else np.float64)
    out.setflags(write=False)
    return out


def _integers(values: Any, where: str, size: int) -> Ints:
    """(size,) read-only; raises InputError."""
    array = np.asarray(values)
    if array.shape != (size,) or (size and array.dtype.kind not in "iu"):
        problem = f"expected {size} integers, found {array.dtype} of shape {array.shape}"
        raise InputError(where, problem)
    out = array.astype(np.int64)
    out.setflags(write=False)
    return out


def _check_range(values: NDArray[Any], low: Any, high: Any, name: str) -> None:
    low, high = np.broadcast_to(low, values.shape), np.broadcast_to(high, values.shape)
    wrong = np.flatnonzero((values < low) | (values > high))
    if len(wrong):
        k = int(wrong[0])
        problem = f"expected in [{low[k]:g}, {high[k]:g}], found {values[k]:g}"
        raise InputError(f"requests[{k}].{name}", problem)


@dataclass(frozen=True, eq=False)
class BatchingInstance:
    """Requests, replicas and how late is too late.

    Attributes:
        name: shown in reports.
        requests: N requests.
        replicas: R replicas.
        precedes: (2, E) int64, stages of workflows: a request and one that needs its output; the
            later one has the higher number.
        starvation_s: a first token later than this counts as starved.
        max_tokens: longest prompt with output that a system has to expect; what Orca reserves.
        prefixes: the tree that the requests' groups are segments of; of no branches if None.
        shares: (T,) float64 > 0, what each tenant is entitled to, in proportion; of none, all the
            same. There is one for every tenant that requests name.
        link_bandwidth: B/s, of each replica's link to the others, over which keys and values move.
        link_latency_s: of a transfer.
    """

    name: str
    requests: Requests
    replicas: tuple[Replica, ...]
    precedes: Ints
    starvation_s: float = 60.0
    max_tokens: int = 4096
    prefixes: Prefixes = None  # type: ignore[assignment]  # never after `__post_init__`
    shares: Floats = ()  # type: ignore[assignment]  # an array after `__post_init__`
    link_bandwidth: float = LINK_BANDWIDTH
    link_latency_s: float = HOP_LATENCY_S

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        object.__setattr__(self, "replicas", tuple(self.replicas))
        if not 1 <= len(self.replicas) <= 256:
            raise InputError("replicas", f"expected 1 to 256, found {len(self.replicas)}")
        edge = np.asarray(self.precedes)
        edge = np.zeros((2, 0), np.int64) if edge.size == 0 else edge
        if edge.ndim != 2 or len(edge) != 2 or edge.dtype.kind not in "iu":
            raise InputError("precedes", f"expected 2 rows of request numbers, found {edge.shape}")
        edge = edge.astype(np.int64)
        wrong = (edge[0] < 0) | (edge[1] >= len(self.requests)) | (edge[0] >= edge[1])
        if wrong.any():
            a, b = edge[:, np.argmax(wrong)].tolist()
            problem = f"expected rising numbers below {len(self.requests)}, found {a} and {b}"
            raise InputError("precedes", problem)
        edge.setflags(write=False)
        object.__setattr__(self, "precedes", edge)
        if not 0 < self.starvation_s < 1e9:
            raise InputError("starvation_s", f"expected a positive time, found {self.starvation_s}")
        if type(self.max_tokens) is not int or not BLOCK <= self.max_tokens <= MAX_TOKENS:
            raise InputError(
                "max_tokens", f"expected a count of tokens, found {self.max_tokens!r:.40}"
            )
        groups = self.requests.num_groups
        if self.prefixes is None:
            object.__setattr__(self, "prefixes", roots(groups))
        elif len(self.prefixes) < groups:
            problem = f"expected {groups} at least, as requests name them"
            raise InputError("prefixes", f"{problem}, found {len(self.prefixes)}")
        for name, least in (("link_bandwidth", 1.0), ("link_latency_s", 0.0)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not least <= value <= 1e15:
                problem = f"expected a number in [{least:g}, 1e15], found {value!r:.40}"
                raise InputError(name, problem)
        _check_pools(self.replicas)

        object.__setattr__(self, "shares", _shares(self.shares, self.requests.tenant))

    def to_json(self) -> dict[str, Any]:
        """JSON document; `instance_from_json` reads it back. Null stands for no target."""
        shares = {"shares": self.shares.tolist()} if len(self.shares) else {}
        columns = {f.name: _plain(getattr(self.requests, f.name)) for f in fields(Requests)}
        return {
            "schema": 1,
            "domain": "batching",
            "name": self.name,
            "replicas": [dict(vars(replica)) for replica in self.replicas],
            "starvation_s": self.starvation_s,
            "max_tokens": self.max_tokens,
            "link_bandwidth": self.link_bandwidth,
            "link_latency_s": self.link_latency_s,
            "precedes": self.precedes.tolist(),
            "prefixes": {
                "parent": self.prefixes.parent.tolist(),
                "start": self.prefixes.start.tolist(),
            },
            **shares,
            "requests": [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ],
        }


def _shares(values: Any, tenant: Ints) -> Floats:
    """Shares of all tenants, or of none; raises InputError naming the tenant."""
    array = np.asarray(values)
    wanted = int(tenant.max()) + 1
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        found = f"{array.dtype} of shape {array.shape}"
        raise InputError("shares", f"expected a row of numbers, found {found}")
    if 0 < len(array) < wanted:
        raise InputError("shares", f"expected one for each of {wanted} tenants, or none")
    wrong = np.flatnonzero(~((array > 0) & (array <= MAX_SHARE)))
    if len(wrong):
        t = int(wrong[0])
        problem = f"expected more than 0 and at most {MAX_SHARE:g}, found {array[t]}"
        raise InputError(f"shares[{t}]", problem)
    out = array.astype(np.float64)
    out.setflags(write=False)
    return out


def _check_pools(replicas: tuple[Replica, ...]) -> None:
    """Somebody computes prompts, and somebody of the same model goes on from each of these."""
    if all(replica.role == "decode" for replica in replicas):
        raise InputError("replicas", "expected one at least that computes prompts")
    for r, replica in enumerate(replicas):
        others = (o for o in replicas if o.model == replica.model and o.role != "prefill")
        if not any(others):
            expected = f"expected one at least of {replica.model} that decodes, for replica {r}"
            raise InputError("replicas", expected)


def _plain(values: NDArray[Any]) -> list[Any]:
    if values.dtype.kind == "f":
        return [v if np.isfinite(v) else None for v in values.tolist()]
    out: list[Any] = values.tolist()
    return out


def instance_from_json(document: Mapping[str, Any]) -> BatchingInstance:
    """Inverse of `BatchingInstance.to_json`; raises InputError naming the field."""
    needed = ("name", "requests", "replicas", "precedes", "starvation_s", "max_tokens")
    optional = ("prefixes", "shares", "link_bandwidth", "link_latency_s")
    check_head(document, "batching", needed, optional, what="instance")
    names = [f.name for f in fields(Requests)]
    rows = read_entries(document["requests"], "requests", names)
    replicas = read_list(document["replicas"], "replicas", "replicas")
    requests = Requests(**{name: _read(rows, name) for name in names})
    known = "prefixes" in document
    return BatchingInstance(
        name=read_name(document["name"], "name"),
        requests=requests,
        replicas=tuple(_replica(row, f"replicas[{r}]") for r, row in enumerate(replicas)),
        precedes=read_edges(document["precedes"], "precedes", len(rows)),
        starvation_s=read_number(document["starvation_s"], "starvation_s"),
        max_tokens=document["max_tokens"],
        prefixes=_prefixes(document["prefixes"]) if known else roots(requests.num_groups),
        shares=np.array(number_row(document.get("shares", []), "shares")),
        link_bandwidth=read_number(
            document.get("link_bandwidth", LINK_BANDWIDTH), "link_bandwidth"
        ),
        link_latency_s=read_number(document.get("link_latency_s", HOP_LATENCY_S), "link_latency_s"),
    )


def _prefixes(document: Any) -> Prefixes:
    check_names(document, ("parent", "start"), (), "prefixes.")
    columns = {}
    for name in ("parent", "start"):
        values = read_list(document[name], f"prefixes.{name}", "integers")
        columns[name] = np.array(
            [read_integer(v, f"prefixes.{name}[{g}]") for g, v in enumerate(values)], np.int64
        )
    return Prefixes(**columns)


def _replica(document: Any, where: str) -> Replica:
    check_names(document, (), [f.name for f in fields(Replica)], f"{where}.")
    for name in ("gpu", "model", "role"):
        read_name(document.get(name, ""), f"{where}.{name}")
    return Replica(**document)


def _read(rows: list[dict[str, Any]], name: str) -> NDArray[Any]:
    """A column; a target that is null stands for none."""
    if name not in FLOATS:
        return integers(rows, name, "requests")
    values = [
        np.inf
        if row[name] is None and name in TARGETS
        else read_number(row[name], f"requests[{k}].{name}")
        for k, row in enumerate(rows)
    ]
    return np.array(values, np.float64)


def make_requests(
    arrival_s: Any, prompt: Any, output: Any, predicted: Any = None, **others: Any
) -> Requests:
    """Requests with defaults: predictions are right, nothing is shared, targets 2 s and 0.1 s."""
    arrival = np.asarray(arrival_s, np.float64)
    size = len(arrival)
    prompt, output = np.asarray(prompt), np.asarray(output)
    zeros = np.zeros(size, np.int64)
    columns: dict[str, Any] = {
        "arrival_s": arrival,
        "prompt": prompt,
        "output": output,
        "predicted": output if predicted is None else predicted,
        "group": zeros + NO_GROUP,
        "shared": zeros,
        "extends": zeros,
        "tenant": zeros,
        "priority": zeros,
        "weight": np.ones(size),
        "ttft_s": np.full(size, 2.0),
        "tpot_s": np.full(size, 0.1),
        "deadline_s": np.full(size, np.inf),
    }
    columns.update({k: np.asarray(v) for k, v in others.items()})
    return Requests(**columns)
