"""Good files of every format, small ones: what spoiling sets out from."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.core.registry import get_domain
from tests.envs.soc.files import JOB, SOC

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 4000  # characters of a seed
OWN = ("auto", "json")  # readers of the project's own documents


class Seed(NamedTuple):
    """A good file, and what has to lie beside it."""

    name: str
    data: bytes
    beside: tuple[tuple[str, bytes], ...] = ()


def write(folder: Path, seed: Seed) -> Path:
    """The seed as a file; what lies beside it as well."""
    for name, data in seed.beside:
        (folder / name).write_bytes(data)
    path = folder / seed.name
    path.write_bytes(seed.data)
    return path


@cache
def seeds(domain: str, reader: str) -> list[Seed]:
    """Good files for a reader; those of a format without any are the domain's own documents."""
    foreign = FOREIGN.get(domain, {})
    own = [Seed("own.json", json.dumps(document).encode()) for document in documents(domain)]
    if reader in foreign:
        return foreign[reader]
    return own + [seed for found in foreign.values() for seed in found] * (reader == "auto")


@cache
def documents(domain: str) -> list[Any]:
    """Small instances of a domain's generators, as they come out of JSON."""
    out = []
    for make in get_domain(domain).generators.values():
        document = json.dumps(make(np.random.default_rng(0), "").to_json())
        if len(document) < LARGEST:
            out.append(json.loads(document))
    return out


def _hashed(**more: Any) -> bytes:
    rows = ((0, 1100, [1, 2, 3]), (500, 1500, [1, 2, 9]), (500, 100, [7]))
    return "\n".join(
        json.dumps({"timestamp": t, "input_length": n, "output_length": 5, "hash_ids": h, **more})
        for t, n, h in rows
    ).encode()


_BLOCKS = (b'{"chat_id": 1, "parent_chat_id": -1, "timestamp": 61.1, "input_length": 40, ',
           b'"output_length": 12, "type": "text", "turn": 1, "hash_ids": [1, 2, 3]}\n')  # fmt: skip
_SPLIT = {
    "name": "demo",
    "workflow": {
        "specification": {
            "tasks": [
                {"id": "a", "children": ["b"], "outputFiles": ["f"]},
                {"id": "b", "children": [], "parents": ["a"], "inputFiles": ["f"]},
            ],
            "files": [{"id": "f", "sizeInBytes": 250_000_000}],
        },
        "execution": {
            "tasks": [{"id": "a", "runtimeInSeconds": 4.0}, {"id": "b", "runtimeInSeconds": 1.0}]
        },
    },
}
_FILE = {"name": "f", "size": 250_000_000}
_WHOLE = {
    "name": "demo",
    "workflow": {
        "jobs": [
            {"name": "a", "runtime": 4, "children": ["b"], "files": [{"link": "output", **_FILE}]},
            {"name": "b", "runtime": 1, "parents": ["a"], "files": [{"link": "input", **_FILE}]},
        ]
    },
}
FOREIGN: dict[str, dict[str, list[Seed]]] = {
    "jobshop": {
        "standard": [Seed("shop.txt", b"# two jobs\n2 3\n\n0 5 1 7 2 1\n2 4 0 0\n")],
        "taillard": [
            Seed("ta.txt", b"2 2\nTimes\n5 7\n4 9\nMachines\n1 2\n2 1\n"),
            Seed("bare.txt", b"2 2 84 39 12 10\n5 7\n4 9\n1 2\n2 1\n"),
        ],
    },
    "soc": {
        "wfcommons": [Seed("w.json", json.dumps(d).encode()) for d in (_SPLIT, _WHOLE)],
        "ds3": [
            Seed("job.txt", JOB.encode(), (("SoC.demo.txt", SOC.encode()),)),
        ],
    },
    "batching": {
        "azure": [
            Seed(
                "azure.csv",
                b"TIMESTAMP,ContextTokens,GeneratedTokens\n"
                b"2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n",
            ),
            Seed(
                "unix.csv",
                b"TIMESTAMP,ContextTokens,GeneratedTokens\n1715558400,11,2\n1715558400.5,7,3\n",
            ),
        ],
        "burstgpt": [
            Seed(
                "burst.csv",
                b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                b"5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,0,1087,API log\n",
            )
        ],
        "lengths": [
            Seed("lengths.csv", b"num_prefill_tokens,num_decode_tokens\n3772,54\n2015,156\n"),
            Seed(
                "arrivals.csv",
                b"arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,3772,54\n2,2015,156\n",
            ),
        ],
        "mooncake": [Seed("moon.jsonl", _hashed())],
        "bailian": [Seed("bailian.jsonl", b"".join(_BLOCKS) * 2)],
    },
}
FOREIGN["batching"] |= {f"{name}-oracle": each for name, each in FOREIGN["batching"].items()}
