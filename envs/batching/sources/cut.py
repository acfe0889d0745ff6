"""``graphsched cut batching TRACE``: parts of a recorded trace on a fleet of one's own, as instances."""

from __future__ import annotations

import re
import sys
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.batching.instance import (
    MAX_REQUESTS,
    BatchingInstance,
    Replica,
    Requests,
    narrowed,
)
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import Parser
from graphsched.envs.core.parts.reading import within
from graphsched.envs.core.parts.writing import json_text, replace_folder

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Readers = Mapping[str, Callable[[Path], BatchingInstance]]

_REPLICA = re.compile(
    r"(?:(\d{1,3})x)?([A-Za-z0-9-]+)(?::([A-Za-z0-9.-]+))?(?::(\d{1,9}))?", re.ASCII
)
MOST = 10_000  # instances


def fleet_of(words: str) -> tuple[Replica, ...]:
    """Read ``2xh100:llama-3-8b:1200,a100``: number, GPU, model, KV blocks; raises InputError."""
    fleet: list[Replica] = []
    for word in words.split(","):
        match = _REPLICA.fullmatch(word)
        if not match:
            problem = f"expected COUNTxGPU:MODEL:BLOCKS, such as 2xa100, found {word!r:.40}"
            raise InputError("--fleet", problem)
        usual = Replica()
        blocks = int(match[4]) if match[4] else usual.kv_blocks
        fleet += [Replica(match[2], match[3] or usual.model, blocks)] * int(match[1] or 1)
    if not fleet:
        raise InputError("--fleet", f"expected a replica at least, found {words!r:.40}")
    return tuple(fleet)


def _arguments(readers: Readers, words: Sequence[str]) -> Namespace:
    parser = Parser("cut batching", __doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--format", choices=sorted(readers), default="auto", help="of the trace")
    parser.add_argument("--fleet", default="a100", help="such as 2xh100:llama-3-8b:1200,a100")
    parser.add_argument("--requests", type=int, default=200, help="of each instance")
    parser.add_argument("--count", type=int, default=40, help="instances, evenly over the trace")
    parser.add_argument("--rate", type=float, help="requests a second; as recorded")
    parser.add_argument("--ttft", type=float, default=2.0, help="target of the first token, s")
    parser.add_argument("--tpot", type=float, default=0.1, help="target of each further token, s")
    parser.add_argument("--starvation", type=float, default=60.0, help="s to the first token")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    return parser.parse(words)


def part_of(trace: BatchingInstance, first: int, options: Namespace) -> BatchingInstance:
    """So many requests of a trace from one on, on the fleet, arrivals rescaled to the rate."""
    chosen = slice(first, first + options.requests)
    columns = {f.name: getattr(trace.requests, f.name)[chosen] for f in fields(Requests)}
    at = columns["arrival_s"] - columns["arrival_s"][0]
    if options.rate is not None and at[-1] > 0:
        at = at * (len(at) - 1) / options.rate / at[-1]
    prefixes, groups = narrowed(trace.prefixes, columns["group"])
    size = len(at)
    columns |= {
        "arrival_s": at,
        "group": groups,
        "ttft_s": np.full(size, options.ttft),
        "tpot_s": np.full(size, options.tpot),
    }
    return replace(
        trace,
        name=f"{trace.name}-{first}",
        requests=Requests(**columns),
        replicas=fleet_of(options.fleet),
        starvation_s=options.starvation,
        prefixes=prefixes,
    )


def _starts(trace: BatchingInstance, options: Namespace) -> NDArray[np.int64]:
    """First requests of the parts; they don't overlap unless there are too many."""
    room = len(trace.requests) - options.requests
    if room < 0:
        problem = f"expected at most {len(trace.requests)}, as the trace has"
        raise InputError("--requests", f"{problem}, found {options.requests}")
    return np.linspace(0, room, options.count).astype(np.int64)


def cut(readers: Readers, words: Sequence[str]) -> int:
    """Run the command by the readers of the domain; raises InputError for what can't be done."""
    options = _arguments(readers, words)
    for name, most in (("requests", MAX_REQUESTS), ("count", MOST)):
        if not 1 <= getattr(options, name) <= most:
            found = getattr(options, name)
            raise InputError(f"--{name}", f"expected 1 to {most}, found {found}")
    for name in ("rate", "ttft", "tpot", "starvation"):
        value = getattr(options, name)
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"--{name}", f"expected more than 0, found {value}")
    fleet_of(options.fleet)
    trace = readers[options.format](options.trace)
    if trace.precedes.size:
        raise InputError(options.trace, "has workflows, which can't be cut")
    starts = _starts(trace, options).tolist()
    files = {}
    for k, first in enumerate(starts):
        part = within(options.trace, partial(part_of, trace, first, options))
        files[f"{k:04d}.json"] = json_text(part.to_json()).encode()
    replace_folder(options.out, files)
    sys.stdout.write(f"{options.out}: {len(files)} instances of {options.requests} requests\n")
    return 0
