"""Reading of files: bounded, and whatever is wrong becomes one line that names file and line."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import math
import os
import re
import stat
import tomllib
import zlib
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")
MIB = 2**20
MAX_BYTES = 64 * MIB  # of a file, unpacked, where a reader says nothing else
CHUNK = 16 * MIB
MAX_LINES = 10**6
LARGEST = 10**18
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """Content of a file, unpacked if it is gzipped; raises InputError.

    A pipe is read as long as somebody writes to it; one without a writer is empty, and no reason to
    wait. Devices are refused: most have no end.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
                raise InputError(path, "is a device; expected a file")
            raw = _at_most(file, most + 1)
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = _at_most(packed, most + 1)
    except InputError:
        raise
    except IsADirectoryError:
        raise InputError(path, "is a directory; expected a file") from None
    except FileNotFoundError:
        raise InputError(path, "no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(path, "expected a gzipped file, found a damaged one") from None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise InputError(path, f"can't be read: {problem}") from None
    if len(raw) > most:
        raise InputError(path, f"expected a file of at most {most // MIB} MiB")
    if not raw:
        raise InputError(path, "is empty")
    return raw


def _at_most(file: IO[bytes] | gzip.GzipFile, most: int) -> bytes:
    """The first bytes of a file; `read` alone would make room for `most` of them beforehand."""
    out: list[bytes] = []
    while most > 0 and (chunk := file.read(min(most, CHUNK))):
        out.append(chunk)
        most -= len(chunk)
    return b"".join(out)


def _open(name: str, flags: int) -> int:
    """Opening doesn't wait for the writer of a pipe; reading waits for what one that is there writes."""
    descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(descriptor, True)
    return descriptor


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """A text file in UTF-8; raises InputError."""
    try:
        text = read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(path, "expected a text file, found binary data")
    return text


def parse_json(text: str, where: object) -> dict[str, Any]:
    """The object that a text holds; raises InputError with the line."""
    collecting = gc.isenabled()
    gc.disable()  # it would look through all that is there again and again
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_float=_float, parse_constant=_constant
        )
        if r"\ud" in text.casefold():  # half a character can't be written again
            json.dumps(document, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = where if "\n" not in text.strip() else f"{where}, line {error.lineno}"
        raise InputError(place, f"expected JSON: {error.msg}") from None
    except InputError as error:
        raise InputError(where, str(error)) from None
    except UnicodeEncodeError:
        raise InputError(where, "expected text, found half of a surrogate pair") from None
    except (RecursionError, ValueError):
        raise InputError(where, "expected JSON: nested too deeply, or a number too long") from None
    finally:
        if collecting:
            gc.enable()
    if not isinstance(document, dict):
        raise InputError(where, f"expected a JSON object, found {type(document).__name__}")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values for one field JSON keeps the last, without a word."""
    out = dict(pairs)
    if len(out) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise InputError(f"field {twice!r:.60}", "expected once, found twice")
    return out


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InputError(f"number {text:.60}", "expected one that fits a 64-bit float")
    return value


def _constant(text: str) -> float:
    raise InputError("expected JSON", f"{text} is none of its numbers")


def read_object(path: Path, make: Callable[[dict[str, Any]], T], most: int = MAX_BYTES) -> T:
    """What `make` makes of the object in a JSON file; raises InputError naming file and field."""
    document = parse_json(read_text(path, most), path)
    return within(path, lambda: make(document))


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file; raises InputError."""
    text = read_text(path)
    try:
        return parse_toml(text, path)
    except tomllib.TOMLDecodeError as error:
        raise InputError(path, f"expected TOML: {error}") from None


def parse_toml(text: str, where: object) -> dict[str, Any]:
    """The table that a text holds.

    Raises:
        TOMLDecodeError: it is none.
        InputError: it is nested too deeply, or a number in it is too long.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (RecursionError, ValueError):
        raise InputError(where, "expected TOML: nested too deeply, or a number too long") from None


def within(path: Path, make: Callable[[], T]) -> T:
    """What `make` makes; its InputError names the file as well.

    Lists in lists may be as many as a parser just takes, and too many for whoever goes through
    them or shows them in a message.
    """
    try:
        return make()
    except InputError as error:
        raise InputError(path, str(error)) from None
    except RecursionError:
        raise InputError(path, "nested too deeply") from None


def numbered(path: Path, text: str, most: int = MAX_LINES) -> Iterator[tuple[str, str]]:
    """Place of each line that isn't blank, and the line, stripped; raises InputError beyond `most`."""
    for number, line in enumerate(_lines(path, text, most), start=1):
        if stripped := line.strip():
            yield f"{path}, line {number}", stripped


def _lines(path: Path, text: str, most: int) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=None)):
        if number == most:
            raise InputError(path, f"expected at most {most} lines")
        yield line


def read_lines(
    path: Path, most: int = MAX_BYTES, lines: int = MAX_LINES
) -> Iterator[tuple[str, str]]:
    """`numbered` lines of a text file; raises InputError."""
    return numbered(path, read_text(path, most), lines)


class Line(NamedTuple):
    """One line that carries something, with its place for error messages."""

    where: str  # "file.txt, line 7"
    text: str

    def integers(self, minimum: int = 0, maximum: int = LARGEST) -> list[int]:
        """All numbers of the line; raises InputError unless they are integers in the range."""
        return [integer(word, self.where, minimum, maximum) for word in self.text.split()]

    @property
    def has_words(self) -> bool:
        """Whether the line begins with a letter, as headings do."""
        return self.text[:1].isalpha()


class Lines:
    """The lines of a file, taken one by one; running out of them is an InputError."""

    def __init__(self, path: Path, text: str) -> None:
        """Drop blank lines and ``#`` comments. Raises InputError if nothing is left."""
        said = (pair for pair in numbered(path, text) if not pair[1].startswith("#"))
        self._rest = [Line(*pair) for pair in said]
        if not self._rest:
            raise InputError(path, "nothing but blank lines and comments; expected an instance")
        self._rest.reverse()
        self._last = self._rest[0].where

    def __iter__(self) -> Iterator[Line]:
        """The lines that are left, without taking them."""
        return reversed(self._rest)

    def take(self, what: str) -> Line:
        """The next line; `what` says what was expected there if there is none."""
        if not self._rest:
            raise InputError(self._last, f"the file ends here; expected {what}")
        return self._rest.pop()

    def skip_heading(self, word: str) -> None:
        """Take a heading if there is one; raises InputError if it does not start with `word`."""
        if self._rest and self._rest[-1].has_words:
            heading = self._rest.pop()
            if not heading.text.casefold().startswith(word):
                problem = f"expected {word!r} or numbers, found {heading.text!r:.60}"
                raise InputError(heading.where, problem)

    def finish(self) -> None:
        """Raise InputError if anything is left."""
        if self._rest:
            line = self._rest[-1]
            problem = "expected the end of the file (one instance a file)"
            raise InputError(line.where, f"{problem}, found {line.text!r:.60}")


def read_rows(
    path: Path, columns: Sequence[str], most: int = MAX_BYTES, fold: bool = False
) -> list[tuple[str, dict[str, str]]]:
    """Place of each row of a CSV below its header, and its cells by column, stripped.

    Args:
        path: the file. Blank rows, and lines that start with ``#``, are skipped.
        columns: that must be there; others may be.
        most: bytes.
        fold: whether the header may be in capitals.

    Raises:
        InputError: a column or a cell is missing or there twice, or there is no row or more than
            a million.
    """
    text = read_text(path, most)
    lines = _lines(path, text, MAX_LINES + 1)
    reader = csv.reader("" if line.startswith("#") else line for line in lines)
    header: list[str] = []
    out: list[tuple[str, dict[str, str]]] = []
    for cells in _checked(reader, path):
        where = f"{path}, line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip().casefold() if fold else cell.strip() for cell in cells]
            for name in columns:
                if header.count(name) != 1:
                    found = ",".join(header)
                    raise InputError(where, f"expected one column {name!r}, found {found!r:.60}")
            continue
        if len(cells) != len(header):
            problem = f"expected {len(header)} cells, found {len(cells)}: is the line cut off?"
            raise InputError(where, problem)
        out.append((where, dict(zip(header, map(str.strip, cells), strict=True))))
    if not out:
        raise InputError(path, f"expected a header with {','.join(columns)} and a row at least")
    return out


def _checked(reader: Any, path: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}", f"expected CSV: {error}") from None


def integer(word: str, where: str, minimum: int = 0, maximum: int = LARGEST) -> int:
    """The integer that a word of a file is; raises InputError."""
    if not re.fullmatch(r"[+-]?[0-9]+", word, re.ASCII):
        raise InputError(where, f"expected an integer, found {word!r:.60}")
    value = int(word) if _INTEGER.fullmatch(word) else LARGEST + 1
    if not minimum <= value <= maximum:
        problem = f"expected integers in [{minimum}, {maximum}], found {word:.60}"
        raise InputError(where, problem)
    return value


def real(word: str, where: str, minimum: float = 0.0, maximum: float = math.inf) -> float:
    """The finite number that a word of a file is; raises InputError."""
    value = float(word) if _NUMBER.fullmatch(word) else math.nan
    if not (math.isfinite(value) and minimum <= value <= maximum):
        limits = f">= {minimum:g}" if maximum == math.inf else f"in [{minimum:g}, {maximum:g}]"
        raise InputError(where, f"expected a number {limits}, found {word!r:.60}")
    return value
