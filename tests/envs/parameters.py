"""Parameters that tests of several domains share."""

from __future__ import annotations

from typing import Any

import pytest

from graphsched.envs.core.registry import domain_names

DOMAINS: list[Any] = [
    # Its programs take ten seconds and more each time where kernels are interpreted.
    pytest.param(name, marks=pytest.mark.compiled) if name == "memory" else name
    for name in domain_names()
]
"""Names of all domains."""
