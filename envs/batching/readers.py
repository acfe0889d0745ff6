"""Readers of traces: Azure, BurstGPT, Mooncake, Bailian, plain lengths, and the project's own JSON.

No scheduler knows how long an output will be: what is predicted of it is the true length times a
lognormal factor, the standard deviation of whose logarithm is `lengths.NOISE` = 0.3, drawn by `PREDICTOR_SEED`
and the request's number. Readers named ``...-oracle`` predict the true lengths instead.

A trace says nothing of replicas or targets: one A100 with Llama-3-8B and the default targets. Rows
without tokens in prompt or output (failed requests) are skipped, and a line of the log tells how
many. A file has at most 256 MiB unpacked and 1,000,000 rows. Times without a zone are UTC.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphsched.envs.batching.instance import (
    MAX_OUTPUT,
    MAX_REQUESTS,
    MAX_TOKENS,
    BatchingInstance,
    Replica,
    instance_from_json,
    make_requests,
    roots,
)
from graphsched.envs.batching.sources.lengths import predictions
from graphsched.envs.batching.sources.radix import places
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import (
    MIB,
    parse_json,
    read_lines,
    read_object,
    read_rows,
    read_text,
    real,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.batching.instance import Prefixes


class _Columns(NamedTuple):
    """What a CSV calls the columns that are read; nothing where it lacks one."""

    prompt: str
    output: str
    time: str = ""
    others: tuple[str, ...] = ()  # that tell it from other formats

    def all(self) -> tuple[str, ...]:
        """Those that the file must have, in its order."""
        return tuple(filter(None, (self.time, *self.others, self.prompt, self.output)))


class _Row(NamedTuple):
    """A request as a trace has it."""

    where: str
    time_s: float
    prompt: int
    output: int
    hashes: tuple[int, ...] = ()


class _Blocks(NamedTuple):
    """What a JSONL trace with hashes of blocks counts in."""

    seconds: float  # of a unit of time
    tokens: int  # of a block


AZURE = _Columns("ContextTokens", "GeneratedTokens", "TIMESTAMP")
BURSTGPT = _Columns("Request tokens", "Response tokens", "Timestamp", ("Model",))
LENGTHS = _Columns("num_prefill_tokens", "num_decode_tokens")
VIDUR_TIME = "arrived_at"  # s; in some files of lengths
MOONCAKE, BAILIAN = _Blocks(1e-3, 512), _Blocks(1.0, 16)
PREDICTOR_SEED = 30  # of predicted lengths
RATE, ARRIVAL_SEED = 1.0, 0  # Poisson arrivals where a file has lengths alone
MAX_BYTES = 256 * MIB
LATEST_S = 1e9 - 1  # a time
NO_EDGES = np.zeros((2, 0), np.int64)
_STAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2})(?:\.(\d{1,12}))?\s?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_UNIX = re.compile(r"\d{1,20}(\.\d{1,12})?", re.ASCII)
_LATEST_UNIX_S = 1e11  # a larger number counts milliseconds, or less
_log = logging.getLogger(__name__)


def _count(word: object, where: str, name: str, most: int = MAX_TOKENS) -> int:
    """Tokens, perhaps none; some traces write them as 12.0."""
    value = real(str(word), f"{where}, {name}", 0, most)
    if value != int(value):
        raise InputError(f"{where}, {name}", f"expected a count, found {word!r:.40}")
    return int(value)


def _seconds(word: object, where: str, name: str) -> float:
    return real(str(word), f"{where}, {name}", 0.0, LATEST_S)


def _moment(word: str, where: str, name: str) -> float:
    """Seconds since 1970 of a date and time, or of a Unix time in s, ms, us or ns."""
    try:
        if _UNIX.fullmatch(word):
            value = float(word)
            while value > _LATEST_UNIX_S:
                value /= 1000.0
            return value
        match = _STAMP.fullmatch(word)
        if match is None:
            raise ValueError
        moment = datetime.fromisoformat(match[1] + (match[3] or "Z"))
        return moment.astimezone(UTC).timestamp() + float(f"0.{match[2] or 0}")
    except (ValueError, OverflowError):
        expected = "expected a time such as 2023-11-16 18:17:03.97 or a Unix time"
        raise InputError(f"{where}, {name}", f"{expected}, found {word!r:.40}") from None


def _with_tokens(path: Path, rows: list[_Row]) -> list[_Row]:
    """Those of which something is to be served."""
    kept = [row for row in rows if row.prompt and row.output]
    if not kept:
        raise InputError(path, "expected a request with prompt and output tokens at least")
    if len(kept) < len(rows):
        left = len(rows) - len(kept)
        _log.info("%s: %d of %d requests without tokens are left out", path, left, len(rows))
    return kept


def _predicted(output: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) what a predictor says of each output."""
    rng = np.random.default_rng(PREDICTOR_SEED)
    return np.minimum(predictions(rng, output), MAX_TOKENS)


def _with_oracle(read: Callable[[Path], BatchingInstance], path: Path) -> BatchingInstance:
    """What a reader reads, with the true lengths as predictions."""
    instance = read(path)
    requests = replace(instance.requests, predicted=instance.requests.output)
    return replace(instance, requests=requests)


def _instance(
    path: Path, rows: list[_Row], prefixes: Prefixes | None = None, **more: Any
) -> BatchingInstance:
    times = np.array([row.time_s for row in rows])
    falls = np.flatnonzero(np.diff(times) < 0)
    if len(falls):
        k = int(falls[0]) + 1
        problem = f"expected times that rise, found {times[k]} after {times[k - 1]}"
        raise InputError(rows[k].where, problem)
    if times[-1] - times[0] > LATEST_S:
        problem = f"expected within {LATEST_S:g} s of the first, found {times[-1] - times[0]:g} s"
        raise InputError(rows[-1].where, problem)
    prompt, output = np.array([r.prompt for r in rows]), np.array([r.output for r in rows])
    columns = (times - times[0], prompt, output, _predicted(output))
    requests = within(path, lambda: make_requests(*columns, **more))
    tree = prefixes or roots(requests.num_groups)
    name = path.stem.removesuffix(".csv")
    return BatchingInstance(name, requests, (Replica(),), NO_EDGES, prefixes=tree)


def _read_table(
    path: Path, columns: _Columns, time_s: Callable[[str, str, str], float]
) -> BatchingInstance:
    """A CSV with a time, a prompt and an output in each row."""
    rows = [
        _Row(
            where,
            time_s(row[columns.time], where, columns.time),
            _count(row[columns.prompt], where, columns.prompt),
            _count(row[columns.output], where, columns.output, MAX_OUTPUT),
        )
        for where, row in read_rows(path, columns.all(), MAX_BYTES)
    ]
    return _instance(path, _with_tokens(path, rows))


def read_azure(path: Path) -> BatchingInstance:
    """Azure's LLM inference traces of 2023 and 2024; raises InputError."""
    return _read_table(path, AZURE, _moment)


def read_burstgpt(path: Path) -> BatchingInstance:
    """BurstGPT; raises InputError."""
    return _read_table(path, BURSTGPT, _seconds)


def read_lengths(path: Path) -> BatchingInstance:
    """Prompt and output lengths as Vidur has them; raises InputError.

    Without a column ``arrived_at`` (s): Poisson arrivals, one a second.
    """
    rows = read_rows(path, LENGTHS.all(), MAX_BYTES)
    if VIDUR_TIME in rows[0][1]:
        return _read_table(path, LENGTHS._replace(time=VIDUR_TIME), _seconds)
    rng = np.random.default_rng(ARRIVAL_SEED)
    times = np.cumsum(rng.exponential(1.0 / RATE, len(rows))).tolist()
    found = [
        _Row(
            where,
            time,
            _count(row[LENGTHS.prompt], where, LENGTHS.prompt),
            _count(row[LENGTHS.output], where, LENGTHS.output, MAX_OUTPUT),
        )
        for time, (where, row) in zip(times, rows, strict=True)
    ]
    return _instance(path, _with_tokens(path, found))


def read_hashed(path: Path, blocks: _Blocks) -> BatchingInstance:
    """JSONL with the hashes of blocks of tokens; raises InputError.

    Prompts form a radix tree by their hashes; what a request shares is the longest beginning that
    it has in common with an earlier one.
    """
    rows = []
    for where, line in read_lines(path, MAX_BYTES, MAX_REQUESTS):
        document = _document(line, where)
        if blocks is MOONCAKE and "chat_id" in document:
            raise InputError(where, "a Bailian trace, in seconds and blocks of 16: read it as such")
        rows.append(_hashed_row(document, where, blocks))
    if not rows:
        raise InputError(path, "expected a request at least, the trace is empty")
    rows = _with_tokens(path, rows)
    found, tree = places((row.hashes, row.prompt // blocks.tokens) for row in rows)
    prompt = np.array([row.prompt for row in rows])
    known = np.array([len(row.hashes) for row in rows])
    shared = np.minimum(blocks.tokens * np.array([place.common for place in found]), prompt)
    return _instance(
        path,
        rows,
        tree.prefixes(blocks.tokens),
        group=np.array([place.segment for place in found]),
        shared=shared,
        extends=np.minimum(blocks.tokens * known, prompt),
    )


def read_mooncake(path: Path) -> BatchingInstance:
    """Mooncake's traces: times in ms, blocks of 512 tokens; see `read_hashed`."""
    return read_hashed(path, MOONCAKE)


def read_bailian(path: Path) -> BatchingInstance:
    """Alibaba's Bailian (Qwen) traces: times in s, blocks of 16 tokens; see `read_hashed`."""
    return read_hashed(path, BAILIAN)


def _document(line: str, where: str) -> dict[str, Any]:
    document = parse_json(line, where)
    for name in ("timestamp", "input_length", "output_length", "hash_ids"):
        if name not in document:
            raise InputError(where, f"field {name!r} is missing")
    return document


def _hashed_row(document: dict[str, Any], where: str, blocks: _Blocks) -> _Row:
    prompt = _count(document["input_length"], where, "input_length")
    hashes = document["hash_ids"]
    if not isinstance(hashes, list) or not all(type(h) is int for h in hashes):
        raise InputError(f"{where}, hash_ids", f"expected a list of integers, found {hashes!r:.40}")
    full = -(-prompt // blocks.tokens)
    if hashes and abs(len(hashes) - full) > 1:
        expected = f"expected {full} hashes, of blocks of {blocks.tokens} tokens"
        raise InputError(f"{where}, hash_ids", f"{expected}, found {len(hashes)}")
    return _Row(
        where,
        _seconds(document["timestamp"], where, "timestamp") * blocks.seconds,
        prompt,
        _count(document["output_length"], where, "output_length", MAX_OUTPUT),
        tuple(hashes),
    )


def read_json(path: Path) -> BatchingInstance:
    """What `BatchingInstance.to_json` gives; raises InputError."""
    return read_object(path, instance_from_json, MAX_BYTES)


def read_auto(path: Path) -> BatchingInstance:
    """Any of these formats, by its first line; raises InputError."""
    first = read_text(path, MAX_BYTES).lstrip()[:2000].partition("\n")[0]
    if first.startswith("{"):
        hashed = read_bailian if '"chat_id"' in first else read_mooncake
        return hashed(path) if '"hash_ids"' in first or '"chat_id"' in first else read_json(path)
    for columns, read in ((AZURE, read_azure), (BURSTGPT, read_burstgpt), (LENGTHS, read_lengths)):
        if all(name in first for name in columns.all()):
            return read(path)
    raise InputError(path, "expected an Azure, BurstGPT, Mooncake, Bailian, lengths or JSON trace")


READERS: dict[str, Callable[[Path], BatchingInstance]] = {
    "auto": read_auto,
    "azure": read_azure,
    "burstgpt": read_burstgpt,
    "mooncake": read_mooncake,
    "bailian": read_bailian,
    "lengths": read_lengths,
    "json": read_json,
}
READERS |= {
    f"{name}-oracle": partial(_with_oracle, READERS[name])
    for name in ("azure", "burstgpt", "mooncake", "bailian", "lengths")
}
