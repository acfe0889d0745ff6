"""Bundles decide without torch as torch does, with either decoder."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import graphsched.checkpoints
from graphsched.agents.bundles.bundle import Networks, read_bundle, write_bundle
from graphsched.agents.bundles.export import networks
from graphsched.agents.networks.encoder import collate
from graphsched.agents.networks.packing import with_graph_rows
from graphsched.agents.runtime import BACKENDS, Policy, Session, load_policy
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.graph import GraphStore, PackedObs, features
from tests.agents.untrained import random_networks
from tests.toy_domain import DOMAIN

ROOT = Path(__file__).parents[2]
SOLVE = """
import sys
from graphsched.agents.runtime import load_policy
from graphsched.agents.decoding.search import Decoding, policy_solver
from tests.toy_domain import DOMAIN
import numpy as np
instance = DOMAIN.generators["toy"](np.random.default_rng(0), "")
policy = load_policy(sys.argv[1], DOMAIN, sys.argv[2])
solution = policy_solver(DOMAIN, policy, Decoding(samples=4))(instance)
assert not DOMAIN.check(instance, solution)
loaded = [m for m in ("torch", "torch_geometric", "stable_baselines3") if m in sys.modules]
print("loaded", loaded)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "crew"
    write_bundle(path, DOMAIN, networks(*random_networks(DOMAIN.schema)), metrics={"gap": 1.0})
    return path


def test_it_carries_its_bundle(bundle: Path) -> None:
    policy = load_policy(bundle, DOMAIN)
    assert policy.name == "crew"
    assert policy.backend == "kernel"
    assert policy.metrics == {"gap": 1.0}
    assert policy.config["domain"] == "crew"
    assert policy.simulator_options == DOMAIN.options()


def test_encoding_equals_torch(bundle: Path) -> None:
    sim = DOMAIN.simulator(2, DOMAIN.options())
    rng = np.random.default_rng(0)
    sim.reset([0, 1], [DOMAIN.generators["random"](rng, "") for _ in range(2)], [0, 1])
    store = sim.store
    policy = load_policy(bundle, DOMAIN)
    encoder, _ = random_networks(DOMAIN.schema)
    assert len(store) >= 2
    for graph_id in store.ids():
        with torch.no_grad():
            expected = encoder(collate(DOMAIN.schema, [store.graph(graph_id)])).numpy()
        got = policy.encode([store.graph(graph_id)])
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def node_table(policy: Policy, store: GraphStore) -> np.ndarray:
    """Embeddings of all live graphs in the store's rows."""
    table = np.zeros((store.num_rows, 8), np.float32)
    for graph_id in store.ids():
        rows, start = policy.encode([store.graph(graph_id)]), store.row_start(graph_id)
        table[start : start + len(rows)] = rows
    return table


def test_backends_agree_through_episodes_of_growing_graphs(bundle: Path) -> None:
    """Both sessions meet graphs as they arrive; a policy that encodes all anew agrees with them."""
    policies = [load_policy(bundle, DOMAIN, backend) for backend in ("kernel", "onnx")]
    sim = DOMAIN.simulator(4, DOMAIN.options())
    rng = np.random.default_rng(1)
    sim.reset(range(4), [DOMAIN.generators["random"](rng, "") for _ in range(4)], range(4))
    sessions = [Session(policy, sim.store) for policy in policies]
    graphs, steps = set(), 0
    while len((obs := sim.observe())["slot"]):
        uniforms = rng.random(len(obs["slot"]))
        first, second = (s.act(obs, uniforms, temperature=2.0) for s in sessions)
        np.testing.assert_array_equal(first.actions, second.actions)
        for name in ("log_probs", "values", "entropies"):
            pair = getattr(first, name), getattr(second, name)
            np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-5)
        tables = policies[0].project(node_table(policies[0], sim.store))
        logits, values = policies[0].logits(with_graph_rows(obs, sim.store), tables)
        got = sessions[0].logits(obs)
        np.testing.assert_allclose(got[0], logits, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(got[1], values, rtol=1e-5, atol=1e-5)
        graphs |= set(obs["graph"].tolist())
        sim.step(first.actions)
        steps += 1
    assert steps > 5
    assert len(graphs) > 8


@pytest.mark.parametrize("backend", ["kernel", "onnx"])
def test_an_older_policy_is_blind_to_newer_candidate_columns(bundle: Path, backend: str) -> None:
    """With columns behind those that it knows, it says what it said, whatever these hold."""
    newer = DOMAIN.schema.candidate + features("new", "newer", "newest")
    later = replace(DOMAIN, schema=replace(DOMAIN.schema, candidate=newer))
    before, now = load_policy(bundle, DOMAIN, backend), load_policy(bundle, later, backend)
    sim = DOMAIN.simulator(4, DOMAIN.options())
    rng = np.random.default_rng(2)
    sim.reset(range(4), [DOMAIN.generators["random"](rng, "") for _ in range(4)], range(4))
    sessions, steps = [Session(policy, sim.store) for policy in (before, now)], 0
    while len((obs := sim.observe())["slot"]):
        more = rng.normal(size=(len(obs["candidate"]), 3)).astype(np.float32)
        seen = cast("PackedObs", {**obs, "candidate": np.hstack([obs["candidate"], more])})
        expected, got = sessions[0].logits(obs), sessions[1].logits(seen)
        for pair in zip(got, expected, strict=True):
            np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-6)
        uniforms = rng.random(len(obs["slot"]))
        chosen = sessions[1].act(seen, uniforms).actions
        np.testing.assert_array_equal(chosen, sessions[0].act(obs, uniforms).actions)
        sim.step(chosen)
        steps += 1
    assert steps > 5


@pytest.mark.parametrize("backend", ["kernel", "onnx"])
def test_solving_imports_no_torch(bundle: Path, backend: str) -> None:
    command = [sys.executable, "-c", SOLVE, str(bundle), backend]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "loaded []"


def test_shipped_policies_load_by_domain(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphsched.checkpoints, "__path__", [str(tmp_path)])
    with pytest.raises(InputError, match="no policy ships"):
        load_policy(None, DOMAIN)
    (tmp_path / "crew").mkdir()
    (tmp_path / "crew" / "default").symlink_to(bundle)
    assert load_policy(None, DOMAIN).metrics == {"gap": 1.0}


def test_bad_arguments(bundle: Path) -> None:
    with pytest.raises(InputError, match="expected a path or a domain"):
        load_policy()
    with pytest.raises(InputError, match="not one of"):
        load_policy(bundle, "nonsense")
    with pytest.raises(InputError, match=", ".join(BACKENDS)):
        load_policy(bundle, DOMAIN, "gpu")


@pytest.mark.parametrize("broken", ["encoder.onnx", "decoder.onnx", "model.safetensors"])
def test_networks_that_do_not_load(bundle: Path, tmp_path: Path, broken: str) -> None:
    """Intact files, by their checksums, that hold something else."""
    good = read_bundle(bundle, DOMAIN).networks
    given: dict[str, Any] = {
        "params": good.params if broken != "model.safetensors" else {"decoder.x": np.ones(1)},
        "encoder_onnx": good.encoder_onnx if broken != "encoder.onnx" else b"nonsense",
        "decoder_onnx": good.decoder_onnx if broken != "decoder.onnx" else b"nonsense",
    }
    write_bundle(tmp_path / "b", DOMAIN, Networks(**given, width=8, layers=2, decoder_width=8))
    with pytest.raises(InputError, match=broken) as caught:
        load_policy(tmp_path / "b", DOMAIN, "onnx" if broken == "decoder.onnx" else "kernel")
    assert "\n" not in str(caught.value)
