"""Spoils files: documents where they have fields, any other text by lines, words and bytes.

All randomness comes from one `random.Random`, so a number says which file it was.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from typing import TYPE_CHECKING, Any

from tests.mutations import get, paths

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.mutations import Path

PARSERS: tuple[str, ...] = (  # texts that json.dumps would not write
    "1e400",
    "-1e400",
    "5e-324",
    "NaN",
    "Infinity",
    "1" * 30,
    "9" * 4299,
    "9" * 5000,
    r'"\ud800"',
    r'"a\u0000b"',
    r'"\u2028\u001b[31m"',
    "[" * 100 + "]" * 100,
    "[" * 850 + "]" * 850,  # about as deep as Python's own parser goes
    '{"a":' * 850 + "1" + "}" * 850,
    '{"a": 1, "a": 2}',
    "[1",
    "01",
)
VALUES: tuple[Any, ...] = (
    0,
    -1,
    1,
    2,
    15,
    2**31 - 1,
    2**31,
    2**53,
    2**53 + 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    1e308,
    -1e308,
    1e-308,
    1e12,
    1e15,
    0.5,
    -0.0,
    1.0,
    None,
    True,
    False,
    "",
    "0",
    "x",
    "nan",
    "é\u2028\x85",
    "n" * 3000,
    [],
    {},
    [0],
    [None],
    [[]],
    ["n" * 3000] * 3,
    [0] * 300,
    [1e308] * 300,
    {"n" * 3000: 1},
)
WORDS = (
    "0", "-0", "-1", "1", "2", "+3", "65535", "2147483648", "9007199254740993", str(2**63),
    str(2**64), "9" * 400, "9" * 5000, "0.5", "-1e308", "1e308", "1e400", "5e-324", "1e-308", "1e3",
    "nan", "inf", "-inf", "0x10", "1_0", "٣", "²", "", "x", "n" * 3000, "#", '"', ",", ",,", "\\",
    "é", "=", "+", "@", "[" * 900, "{", "2023-11-16 18:17:03", "0001-01-01 00:00:00+14:00",
    "9999-12-31 23:59:59-14:00", "99999999999999999999",
)  # fmt: skip
BYTES = (
    b"\0", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n", b"\x1f\x8b", b"\xff\xfe", b"\xed\xa0\x80",
    b"\x1b[31m", "\u2028".encode(), "\x85".encode(), b'"', b"'", b" ", b"\t", b"\v", b"#", b"-",
)  # fmt: skip
_WORD = re.compile(r"[^\s,:;=@+{}\[\]\"]+")
_PLACE = "@@%d@@"  # stands in a document for one of PARSERS


def spoiled_json(document: Any, rng: random.Random) -> bytes:
    """A document with one to three faults in its fields, as a file."""
    document = {"": copy.deepcopy(document)}
    raw: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = _any_path(document, rng)
        if path is not None:
            rng.choice(_FAULTS)(document, path, rng, raw)
    text = json.dumps(document.get(""))
    for number, piece in enumerate(raw):
        text = text.replace(json.dumps(_PLACE % number), piece)
    return text.encode()


def spoiled_text(data: bytes, rng: random.Random) -> bytes:
    """A file with one to three faults in its words, lines or bytes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(_DAMAGE)(data, rng)
    return data


def spoiled(data: bytes, rng: random.Random) -> bytes:
    """A file with faults in its fields if it is JSON, or has a document a line; of any kind if not."""
    lines = data.splitlines()
    if rng.random() < 0.2 or not lines:
        return spoiled_text(data, rng)
    try:
        data = spoiled_json(json.loads(data), rng)
    except ValueError:
        number = rng.randrange(len(lines))
        try:
            lines[number] = spoiled_json(json.loads(lines[number]), rng)
        except ValueError:
            return spoiled_text(data, rng)
        data = b"\n".join(lines)
    return spoiled_text(data, rng) if rng.random() < 0.1 else data


def _any_path(document: Any, rng: random.Random) -> Path | None:
    """Kinds of place are equally likely: most of a document is its longest list."""
    kinds: dict[Path, list[Path]] = {}
    for path in paths(document):
        kind = tuple("*" if isinstance(key, int) else key for key in path)
        kinds.setdefault(kind, []).append(path)
    return rng.choice(rng.choice(list(kinds.values()))) if kinds else None


def _becomes(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    get(document, path[:-1])[path[-1]] = copy.deepcopy(rng.choice(VALUES))


def _becomes_raw(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    get(document, path[:-1])[path[-1]] = _PLACE % len(raw)
    raw.append(rng.choice(PARSERS))


def _is_dropped(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    del get(document, path[:-1])[path[-1]]


def _is_doubled(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    holder, key = get(document, path[:-1]), path[-1]
    if isinstance(holder, list):
        holder[key:key] = [copy.deepcopy(holder[key]) for _ in range(rng.choice((1, 2, 40)))]
    else:
        holder[f"{key}_"] = copy.deepcopy(holder[key])


def _is_renamed(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    holder, key = get(document, path[:-1]), path[-1]
    if isinstance(holder, dict):
        value = holder.pop(key)
        names = (key[1:], key.upper(), f" {key}", "n" * 3000, "", "\u2028", "__class__", "name")
        holder[rng.choice(names)] = value


def _changes_places(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    other = _any_path(document, rng)
    if other is None or other[: len(path)] == path or path[: len(other)] == other:
        return
    first, second = get(document, path), get(document, other)
    get(document, path[:-1])[path[-1]] = second
    get(document, other[:-1])[other[-1]] = first


def _is_reordered(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    value = get(document, path)
    if isinstance(value, list):
        rng.shuffle(value)
    elif isinstance(value, dict):
        pairs = list(value.items())
        rng.shuffle(pairs)
        value.clear()
        value.update(pairs)


def _is_wrapped(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    value = get(document, path)
    get(document, path[:-1])[path[-1]] = rng.choice(
        ([value], {"a": value}, str(value), [value] * 2)
    )


def _moves(document: Any, path: Path, rng: random.Random, raw: list[str]) -> None:
    """A number a little or much larger or smaller: what most often is still an instance."""
    value = get(document, path)
    if type(value) in (int, float):
        changes: list[Callable[[Any], Any]] = [
            lambda x: x + 1,
            lambda x: x - 1,
            lambda x: x * 2,
            lambda x: -x,
            lambda x: x * 10**6,
            lambda x: x + 2**40,
            lambda x: float(x),
            lambda x: x * 1e-300,
            lambda x: x * 0.1,
        ]
        get(document, path[:-1])[path[-1]] = rng.choice(changes)(value)


_FAULTS = (
    _becomes, _becomes, _becomes_raw, _is_dropped, _is_doubled, _is_renamed, _changes_places,
    _is_reordered, _is_wrapped, _moves, _moves, _moves,
)  # fmt: skip


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _cut_out(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 1, 2, 20)) :]


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(BYTES) * rng.choice((1, 1, 3)) + data[at:]


def _replace_word(data: bytes, rng: random.Random) -> bytes:
    text = data.decode(errors="replace")
    words = list(_WORD.finditer(text))
    if not words:
        return data
    word = rng.choice(words)
    return (text[: word.start()] + rng.choice(WORDS) + text[word.end() :]).encode()


def _swap_words(data: bytes, rng: random.Random) -> bytes:
    text = data.decode(errors="replace")
    words = list(_WORD.finditer(text))
    if len(words) < 2:
        return data
    a, b = sorted(rng.sample(words, 2), key=lambda word: word.start())
    between = text[a.end() : b.start()]
    return (text[: a.start()] + b[0] + between + a[0] + text[b.end() :]).encode()


def _change_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    at = rng.randrange(len(lines))
    changes: list[Callable[[], object]] = [
        lambda: lines.pop(at),
        lambda: lines.insert(at, lines[at]),
        lambda: lines.extend([lines[at]] * rng.choice((3, 300))),
        lambda: rng.shuffle(lines),
        lambda: lines.reverse(),
        lambda: lines.insert(at, b"# said\n"),
    ]
    rng.choice(changes)()
    return b"".join(lines)


def _encode_again(data: bytes, rng: random.Random) -> bytes:
    changes: list[Callable[[], bytes]] = [
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: data.replace(b"\n", b"\r"),
        lambda: gzip.compress(data, mtime=0),
        lambda: gzip.compress(data, mtime=0)[: -rng.randrange(1, 12)],
        lambda: gzip.compress(gzip.compress(data, mtime=0), mtime=0),
        lambda: data.decode(errors="replace").encode("utf-16"),
        lambda: data * 2,
        lambda: data.replace(b" ", b"\t"),
        lambda: data.swapcase(),
    ]
    return rng.choice(changes)()


_DAMAGE = (
    _cut, _cut_out, _flip, _flip, _insert, _replace_word, _replace_word, _replace_word,
    _swap_words, _change_lines, _change_lines, _encode_again,
)  # fmt: skip
