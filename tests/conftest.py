"""Settings of the whole suite: single-threaded libraries, reproducible properties."""

import os
from typing import Any

# Before numpy and torch are imported anywhere: threads of two libraries on few cores only wait.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.ordering import ContractFirst, rank

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
FEW = 10
"""Examples of a property where kernels are interpreted: they run to be counted as covered there."""

# No deadline: the first example of a property may have to compile a kernel.
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", _COMMON)
settings.register_profile("ci", _COMMON, derandomize=True, print_blob=True)
settings.register_profile("interpreted", _COMMON, derandomize=True, max_examples=FEW)
settings.load_profile(
    "interpreted" if INTERPRETED else "ci" if os.environ.get("CI") else "local",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests; skip what is hopeless without compiled kernels where there are none."""
    items.sort(key=lambda item: rank(item.nodeid))
    if INTERPRETED:
        skip = pytest.mark.skip(reason="needs compiled kernels")
        for item in items:
            if item.get_closest_marker("compiled"):
                item.add_marker(skip)
            elif (test := getattr(item, "obj", None)) and is_hypothesis_test(test):
                _with_few_examples(test)


def _with_few_examples(test: Any) -> None:
    """Also of properties that ask for more, which a profile can't change.

    They have as many as they ask for where kernels are compiled.
    """
    own = test._hypothesis_internal_use_settings
    if own.max_examples > FEW:
        test._hypothesis_internal_use_settings = settings(own, max_examples=FEW)


@pytest.hookimpl(optionalhook=True)  # also where xdist is left out
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, the contract of each domain has a worker of its own."""
    return ContractFirst(config, log) if config.getvalue("dist") == "loadfile" else None
