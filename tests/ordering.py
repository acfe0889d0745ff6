"""In which order tests run, and how xdist shares them out: what compiles kernels comes first.

A process that needs a kernel waits while another one compiles kernels of that domain, so workers
that begin with files of one domain would mostly wait. The contract needs nearly all kernels of a
domain: its tests come first, each on a worker of its own. What follows is sorted so that long files
come before short ones, which leaves no worker alone at the end.
"""

from __future__ import annotations

from xdist.scheduler.loadfile import LoadFileScheduling

CONTRACT = "tests/contract/test_domains.py::test_registered_domain_keeps_the_contract["
FOLDERS = ("training", "surroundings", "cli", "agents", "contract", "eval", "fuzz", "envs")
"""Those whose files take longest first; files outside of all these come before them."""


def rank(nodeid: str) -> int:
    """Place of a test in the order; tests of the same rank stay in the order of their files."""
    if nodeid.startswith(CONTRACT):
        return -1
    folder = nodeid.removeprefix("tests/").partition("/")[0]
    return 1 + FOLDERS.index(folder) if folder in FOLDERS else 0


class ContractFirst(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file to a worker, but the contract of each domain for itself.

    Takes files in the order of the tests, so ``--no-loadscope-reorder`` belongs to it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(CONTRACT) else super()._split_scope(nodeid)
