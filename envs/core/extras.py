"""What is installed only with an extra of the package, and the line that says so."""

from __future__ import annotations

from importlib.util import find_spec

from graphsched.envs.core.errors import InputError

EXTRAS = {
    "jinja2": "report",
    "matplotlib": "report",
    "onnx": "train",
    "onnxscript": "train",
    "ortools": "solvers",
    "saga": "saga",
    "sb3_contrib": "peers",
    "stable_baselines3": "train",
    "tensorboard": "train",
    "torch": "train",
    "torch_geometric": "train",
    "transformers": "models",
    "wfcommons": "workflows",
}
"""Module -> the extra that installs it."""


def missing(module: str) -> str:
    """The words for a module of `EXTRAS` that isn't there."""
    return f"{module} isn't installed; pip install 'graphsched[{EXTRAS[module]}]' brings it"


def require(purpose: object, *modules: str) -> None:
    """Raises InputError, naming the extra, if one of the modules isn't there.

    Args:
        purpose: what they are needed for, such as a command or an option.
        modules: of `EXTRAS`.
    """
    for module in modules:
        if find_spec(module) is None:
            raise InputError(purpose, missing(module))
