"""Which sources a kernel's machine code came from, as one hash.

A compiled kernel holds the code of every kernel that it calls and the value of every constant that
it reads, whatever module they are from. So its module's sources are those of the module and of all
modules that it imports, directly or not, within its own top package and this one.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import re
import sys
import time
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba import config

STARTED = time.time()
"""When this process began, about: a source that is newer may not be what was imported."""

_log = logging.getLogger("graphsched")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)|import[ \t]+([^\n#]+))",
    re.M,
)
_WORD = re.compile(r"[.\w]+")
_SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")


def imported_names(text: str, package: str) -> set[str]:
    """Full names of what a module's source imports: modules, and names that may be modules.

    Args:
        text: of the module.
        package: that relative imports are resolved in.
    """
    found = set()
    for base, names, plain in _IMPORT.findall(text):
        if plain:
            found |= {part.split()[0] for part in plain.split(",") if part.split()}
            continue
        whole = _absolute(base, package)
        found |= {f"{whole}.{name}" for name in _WORD.findall(names)} | {whole}
    return found


def _absolute(base: str, package: str) -> str:
    dots = len(base) - len(base.lstrip("."))
    if not dots:
        return base
    parts = package.split(".")
    above = parts[: len(parts) - dots + 1]
    return ".".join([*above, base[dots:]] if base[dots:] else above)


def source_files(module: str) -> dict[str, Path]:
    """Name -> file of a module and of all loaded ones that it builds on, other packages' apart."""
    tops = {module.partition(".")[0], __name__.partition(".")[0]}
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        place = _file_of(name)
        if name in found or place is None:
            continue
        found[name] = place
        loaded = sys.modules[name]
        package = name if hasattr(loaded, "__path__") else name.rpartition(".")[0]
        names = imported_names(_read(place).decode("utf-8", "replace"), package)
        waiting += [n for n in names if n.partition(".")[0] in tops and not _only_holds(n, names)]
    return found


def _only_holds(name: str, names: set[str]) -> bool:
    """Whether a package is named just as the place of the modules that are imported from it."""
    inside = [other for other in names if other.rpartition(".")[0] == name]
    return bool(inside) and all(_file_of(other) is not None for other in inside)


def _file_of(module: str) -> Path | None:
    place = getattr(sys.modules.get(module), "__file__", None)
    return Path(place) if place and place.endswith(".py") else None


@cache
def _read(place: Path) -> bytes:
    return place.read_bytes()


@cache
def source_hash(module: str) -> str | None:
    """Hash of a loaded module's sources, of numba, its settings and the processor; hexadecimal.

    None where that would promise too much: a source can't be read, or has changed since this
    process began, so that the code in memory may be older.
    """
    digest = hashlib.sha256(_surroundings().encode())
    try:
        found = source_files(module)
        for name, place in sorted(found.items()):
            if place.stat().st_mtime > STARTED:
                _log.warning("graphsched: %s is newer than this process: nothing is cached", place)
                return None
            digest.update(f"\0{name}\0".encode() + _read(place))
    except OSError:
        return None
    return digest.hexdigest()[:24] if found else None


@cache
def _surroundings() -> str:
    """All that machine code depends on beside the sources."""
    cpu = config.CPU_NAME or llvmlite.binding.get_host_cpu_name()  # type: ignore[attr-defined]
    features = config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()  # type: ignore[attr-defined]
    versions = numba.__version__, llvmlite.__version__, np.__version__, sys.version
    settings = [(name, getattr(config, name, None)) for name in _SETTINGS]
    return repr((versions, platform.platform(), cpu, features, settings))
