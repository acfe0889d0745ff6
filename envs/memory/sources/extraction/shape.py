"""Sizes of example inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """Sizes of the example inputs."""

    batch: int = 1
    sequence: int = 128  # tokens
    image: int = 224  # pixels each way
