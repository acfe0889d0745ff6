"""Shipped programs are what their command writes, and models count what their papers say."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest

from graphsched.envs.memory import DOMAIN

pytest.importorskip("torch")

TOKENS = 8 * 128


def layers(number, width, dense):
    """Operations of transformer layers for each token: products, then attention over 128 tokens."""
    return number * (2 * (4 * width**2 + dense) + 4 * 128 * width)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("unet --batch 8", "unet-batch8"),
        ("unet --batch 8 --mode train --optimizer adam", "unet-training"),
        pytest.param("gpt --batch 8", "gpt-batch8", marks=pytest.mark.slow),
        pytest.param(
            "moe --batch 8 --mode train --optimizer adam", "moe-training", marks=pytest.mark.slow
        ),
    ],
)
def test_a_shipped_program_can_be_made_again(tmp_path, words, name):
    out = tmp_path / "made.json.gz"
    assert DOMAIN.commands["extract"]([*words.split(), "--out", str(out)]) == 0
    shipped = (files("graphsched.envs.memory.data") / f"{name}.json.gz").read_bytes()
    assert json.loads(gzip.decompress(out.read_bytes())) == json.loads(gzip.decompress(shipped))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt", TOKENS * (layers(12, 768, 8 * 768**2) + 2 * 768 * 50257)),
        ("encoder", TOKENS * (layers(12, 768, 8 * 768**2) + 2 * 768 * 30522)),
        # The router of eight; two of them, each three products of 512 by 1,792.
        ("moe", TOKENS * (layers(4, 512, 8 * 512 + 2 * 3 * 512 * 1792) + 2 * 512 * 32000)),
        ("resnet", 8 * 2 * 4.09e9),
        ("densenet121", 8 * 2 * 2.87e9),
    ],
)
def test_batches_and_steps_take_the_operations_of_the_closed_form(name, expected):
    forward = DOMAIN.library.load(f"{name}-batch8-16mib").flops.sum()
    assert forward == pytest.approx(expected, rel=0.05)
    step = DOMAIN.library.load(f"{name}-training-16mib").flops.sum()
    assert step == pytest.approx(3 * forward, rel=0.05)
