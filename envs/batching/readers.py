"""Readers of traces: Azure, BurstGPT, Mooncake, plain lengths, and the project's own JSON.

A trace says nothing of replicas or targets: one A100 with Llama-3-8B and the default targets.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.instance import (
    MAX_TOKENS,
    BatchingInstance,
    Replica,
    instance_from_json,
    make_requests,
)
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import (
    MIB,
    parse_json,
    read_object,
    read_rows,
    read_text,
    real,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class _Columns(NamedTuple):
    """What a CSV calls the columns that are read; nothing where it lacks one."""

    prompt: str
    output: str
    time: str = ""
    others: tuple[str, ...] = ()  # that tell it from other formats

    def all(self) -> tuple[str, ...]:
        """Those that the file must have, in its order."""
        return tuple(filter(None, (self.time, *self.others, self.prompt, self.output)))


AZURE = _Columns("ContextTokens", "GeneratedTokens", "TIMESTAMP")
BURSTGPT = _Columns("Request tokens", "Response tokens", "Timestamp", ("Model",))
LENGTHS = _Columns("num_prefill_tokens", "num_decode_tokens")
RATE, ARRIVAL_SEED = 1.0, 0  # Poisson arrivals where a file has lengths alone
MAX_BYTES = 2048 * MIB  # traces of a week
LATEST_S = 1e9 - 1  # a time
HASHED = 512  # tokens of a Mooncake block
NO_EDGES = np.zeros((2, 0), np.int64)


def _rows(path: Path, columns: _Columns) -> list[tuple[str, dict[str, str]]]:
    return read_rows(path, columns.all(), MAX_BYTES)


def _count(word: object, where: str, name: str) -> int:
    """Tokens; some traces write them as 12.0."""
    value = real(str(word), f"{where}, {name}", 1, MAX_TOKENS)
    if value != int(value):
        raise InputError(f"{where}, {name}", f"expected a count >= 1, found {word!r:.40}")
    return int(value)


def _seconds(word: object, where: str, name: str) -> float:
    return real(str(word), f"{where}, {name}", 0.0, LATEST_S)


def _instance(
    path: Path,
    places: list[str],
    times: list[float],
    prompt: list[int],
    output: list[int],
    **more: Any,
) -> BatchingInstance:
    falls = np.flatnonzero(np.diff(times) < 0)
    if len(falls):
        k = int(falls[0]) + 1
        raise InputError(
            places[k], f"expected times that rise, found {times[k]} after {times[k - 1]}"
        )
    requests = make_requests(np.array(times) - times[0], np.array(prompt), np.array(output), **more)
    return BatchingInstance(path.stem, requests, (Replica(),), NO_EDGES)


def read_azure(path: Path) -> BatchingInstance:
    """Azure's LLM inference traces of 2023 and 2024; raises InputError."""
    rows = _rows(path, AZURE)
    times = []
    for where, row in rows:
        stamp = row[AZURE.time].strip().removesuffix("+00:00")
        head, _, fraction = stamp.partition(".")
        try:
            moment = datetime.fromisoformat(head)
            times.append(moment.timestamp() + float(f"0.{fraction or 0}"))
        except ValueError:
            raise InputError(
                f"{where}, {AZURE.time}", f"expected a time, found {stamp!r:.40}"
            ) from None
    first = times[0]
    return _instance(
        path,
        [where for where, _ in rows],
        [time - first for time in times],
        [_count(row[AZURE.prompt], where, AZURE.prompt) for where, row in rows],
        [_count(row[AZURE.output], where, AZURE.output) for where, row in rows],
    )


def read_burstgpt(path: Path) -> BatchingInstance:
    """BurstGPT; requests that failed (no response tokens) are left out. Raises InputError."""
    rows = _rows(path, BURSTGPT)
    rows = [(where, row) for where, row in rows if row[BURSTGPT.output].strip() not in ("0", "0.0")]
    if not rows:
        raise InputError(path, "expected a request with a response at least")
    return _instance(
        path,
        [where for where, _ in rows],
        [_seconds(row[BURSTGPT.time], where, BURSTGPT.time) for where, row in rows],
        [_count(row[BURSTGPT.prompt], where, BURSTGPT.prompt) for where, row in rows],
        [_count(row[BURSTGPT.output], where, BURSTGPT.output) for where, row in rows],
    )


def read_lengths(path: Path) -> BatchingInstance:
    """Prompt and output lengths without times, as Vidur has them: Poisson arrivals, one a second."""
    rows = _rows(path, LENGTHS)
    rng = np.random.default_rng(ARRIVAL_SEED)
    return _instance(
        path,
        [where for where, _ in rows],
        np.cumsum(rng.exponential(1.0 / RATE, len(rows))).tolist(),
        [_count(row[LENGTHS.prompt], where, LENGTHS.prompt) for where, row in rows],
        [_count(row[LENGTHS.output], where, LENGTHS.output) for where, row in rows],
    )


def read_mooncake(path: Path) -> BatchingInstance:
    """Mooncake's JSONL with the hashes of blocks of 512 tokens; raises InputError.

    Requests whose first blocks agree form a group; what a request shares is the longest beginning
    that it has in common with an earlier one of its group. So a group's branches count as one
    sequence, which overstates hits where a group branches.
    """
    places, documents = [], []
    for number, line in enumerate(read_text(path, MAX_BYTES).splitlines(), start=1):
        if line.strip():
            places.append(f"{path}, line {number}")
            documents.append(_document(line, places[-1]))
    if not documents:
        raise InputError(path, "expected a request at least, the trace is empty")
    pairs = list(zip(places, documents, strict=True))
    prompt = [_count(d["input_length"], p, "input_length") for p, d in pairs]
    output = [_count(d["output_length"], p, "output_length") for p, d in pairs]
    group, shared, extends = _chains([_hashes(d["hash_ids"], p) for p, d in pairs], prompt)
    return _instance(
        path,
        places,
        [_seconds(d["timestamp"], p, "timestamp") / 1000.0 for p, d in pairs],
        prompt,
        output,
        group=np.array(group),
        shared=np.array(shared),
        extends=np.array(extends),
    )


def _document(line: str, where: str) -> dict[str, Any]:
    document = parse_json(line, where)
    for name in ("timestamp", "input_length", "output_length", "hash_ids"):
        if name not in document:
            raise InputError(where, f"field {name!r} is missing")
    return document


def _hashes(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(h) is int for h in value):
        raise InputError(f"{where}, hash_ids", f"expected a list of integers, found {value!r:.40}")
    return tuple(value)


def _chains(
    hashes: list[tuple[int, ...]], prompt: list[int]
) -> tuple[list[int], list[int], list[int]]:
    groups: dict[int, int] = {}
    known: set[tuple[int, int]] = set()  # place in the prompt, hash (which covers what is before)
    group, shared, extends = [], [], []
    for ids, length in zip(hashes, prompt, strict=True):
        group.append(groups.setdefault(ids[0], len(groups)) if ids else -1)
        common = 0
        while common < len(ids) and (common, ids[common]) in known:
            common += 1
        known.update(enumerate(ids))
        shared.append(min(HASHED * common, length))
        extends.append(max(min(HASHED * len(ids), length), shared[-1]))
    return group, shared, extends


def read_json(path: Path) -> BatchingInstance:
    """What `BatchingInstance.to_json` gives; raises InputError."""
    return read_object(path, instance_from_json, MAX_BYTES)


def read_auto(path: Path) -> BatchingInstance:
    """Any of these formats, by its first line; raises InputError."""
    first = read_text(path, MAX_BYTES).lstrip()[:2000].partition("\n")[0]
    if first.startswith("{"):
        return read_mooncake(path) if '"hash_ids"' in first else read_json(path)
    for columns, read in ((AZURE, read_azure), (BURSTGPT, read_burstgpt), (LENGTHS, read_lengths)):
        if all(name in first for name in columns.all()):
            return read(path)
    raise InputError(path, "expected an Azure, BurstGPT, Mooncake, lengths or JSON trace")


READERS: dict[str, Callable[[Path], BatchingInstance]] = {
    "auto": read_auto,
    "azure": read_azure,
    "burstgpt": read_burstgpt,
    "mooncake": read_mooncake,
    "lengths": read_lengths,
    "json": read_json,
}
