"""Maps the top-level folders into the ``graphsched`` namespace; metadata lives in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("envs", "agents", "training", "eval", "checkpoints")
found = find_packages(include=[p for name in FOLDERS for p in (name, f"{name}.*")])
setup(
    packages=[
        "graphsched",
        "graphsched.cli",
        "graphsched.cli.commands",
        "graphsched.cli.commands.teach",
        *(f"graphsched.{name}" for name in found),
    ],
    package_dir={f"graphsched.{name}": name for name in FOLDERS},
)
