"""Facts about this machine and the installed versions, for everything that reports times."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphsched.agents.bundles.provenance import versions


def _processor() -> str:
    """Model name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_facts() -> dict[str, Any]:
    """Processor, cores this process may use, operating system, and how busy it is now."""
    busy = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": _usable_cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_1min": busy,
    }


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that matter; imports none of them."""
    found = versions()
    try:
        return {**found, "ortools": version("ortools")}
    except PackageNotFoundError:
        return found
