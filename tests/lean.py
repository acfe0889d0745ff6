"""What an installation without extras must do; run by its Python, outside the source tree.

Every shipped policy solves an instance that it serves, the solution is checked, and a command that
needs an extra says which. Not a test of pytest's, which isn't there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ABSENT = ("torch", "stable_baselines3", "matplotlib", "jinja2", "ortools", "onnx")
INSTANCES = {"jobshop": "ft06", "soc": "canonical", "memory": "toy", "batching": "toy:"}


def main() -> None:
    """Everything in turn; an assertion fails where something is wrong."""
    began = time.perf_counter()
    import graphsched

    spent = time.perf_counter() - began
    print(f"import graphsched: {spent:.2f} s, from {graphsched.__file__}")
    assert spent < 1.0
    assert str(Path(sys.prefix)) in str(graphsched.__file__), "the installed one, not a tree"
    for module in ABSENT:
        try:
            __import__(module)
        except ModuleNotFoundError:
            continue
        raise AssertionError(f"{module} is installed")
    _solve_everywhere()
    for words in (["train", "jobshop"], ["solve", "jobshop", "ft06", "--gantt", "a.png"]):
        done = _run(*words)
        assert done.returncode == 2, done
        assert done.stderr.count("\n") == 1, done
        assert "pip install 'graphsched[" in done.stderr, done
        print(done.stderr, end="")
    for words in (["list"], ["solve", "jobshop", "ft06", "--baseline", "mwkr"]):
        assert _run(*words).returncode == 0, words
    done = _run("eval", "jobshop", "--instances", "ft06", "--baselines", "spt,mwkr")
    assert done.returncode == 0, done
    assert "mwkr" in done.stdout, done


def _solve_everywhere() -> None:
    from graphsched import get_domain, load_policy, solve
    from graphsched.agents.bundles.shipped import shipped_policies
    from graphsched.envs.core.registry import domain_names
    from graphsched.envs.core.specs import parse_instance

    for name in domain_names():
        domain = get_domain(name)
        instance = parse_instance(domain, INSTANCES.get(name, "toy:"))
        baseline = next(iter(domain.baselines))
        cost = domain.cost(instance, solve(domain, instance, baseline=baseline))
        print(f"{name}: {instance.name} {cost:g} by {baseline}")
        for policy in shipped_policies(name):
            loaded = load_policy(policy, domain)
            cost = domain.cost(instance, solve(domain, instance, policy=loaded))
            print(f"{name}: {instance.name} {cost:g} by policy {policy}")


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("graphsched")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
