"""Checks of what simulators show."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from gymnasium.utils.env_checker import check_env

from graphsched.envs.core.gym.env import GraphSchedEnv
from graphsched.envs.core.testing.play import Player, assert_same, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphsched.envs.core.graph import GraphSchema, GraphStore, PackedObs, StaticGraph
    from graphsched.envs.core.sim import BatchSim
    from graphsched.envs.core.testing.play import Cases


def _expect(obs: PackedObs, key: str, dtype: Any, shape: tuple[int, ...]) -> None:
    array: NDArray[Any] = cast("dict[str, Any]", obs)[key]
    assert isinstance(array, np.ndarray), f"{key} is a {type(array).__name__}, no array"
    assert array.dtype == dtype, f"{key} is {array.dtype}, expected {np.dtype(dtype)}"
    assert array.shape == shape, f"{key} has shape {array.shape}, expected {shape}"
    assert np.isfinite(array).all(), f"{key} has values that are not finite"


def assert_packed(schema: GraphSchema, obs: PackedObs, num_slots: int) -> None:
    """Raise AssertionError unless shapes, dtypes and pointers are as `PackedObs` says."""
    n, c, r, g = (len(obs[key]) for key in ("slot", "candidate", "resource", "graph"))
    _expect(obs, "slot", np.int64, (n,))
    _expect(obs, "kind", np.int64, (n,))
    _expect(obs, "context", np.float32, (n, len(schema.context)))
    _expect(obs, "candidate", np.float32, (c, len(schema.candidate)))
    _expect(obs, "candidate_node", np.int64, (c, len(schema.candidate_nodes)))
    _expect(obs, "candidate_resource", np.int64, (c, len(schema.candidate_resources)))
    _expect(obs, "resource", np.float32, (r, len(schema.resource)))
    _expect(obs, "resource_node", np.int64, (r,))
    _expect(obs, "graph", np.int64, (g,))
    for key, total in (("candidate_ptr", c), ("resource_ptr", r), ("graph_ptr", g)):
        _expect(obs, key, np.int64, (n + 1,))
        pointer = obs[key]  # type: ignore[literal-required]
        steps = np.diff(pointer)
        assert pointer[0] == 0, f"{key} starts at {pointer[0]}"
        assert pointer[-1] == total, f"{key} ends at {pointer[-1]}, expected {total}"
        assert steps.min(initial=1) >= (key == "candidate_ptr"), (
            f"{key} has a block of {min(steps)}"
        )
    slots, kinds = obs["slot"], obs["kind"]
    assert (np.diff(slots) > 0).all(), f"slots {slots} are not in order"
    assert ((slots >= 0) & (slots < num_slots)).all(), f"slots {slots} of {num_slots}"
    assert ((kinds >= 0) & (kinds < len(schema.kinds))).all(), f"kinds {kinds} of {schema.kinds}"


def _ranges(schema: GraphSchema, store: GraphStore, obs: PackedObs, i: int, node: str) -> Any:
    """Rows of the node table that hold nodes of a type, of block i's graphs."""
    out = []
    for graph_id in obs["graph"][obs["graph_ptr"][i] : obs["graph_ptr"][i + 1]].tolist():
        graph, start = store.graph(graph_id), store.row_start(graph_id)
        for kind in schema.nodes:
            size = len(graph.nodes[kind.name])
            if kind.name == node:
                out.append(np.arange(start, start + size))
            start += size
    return np.concatenate([np.array([-1]), *out])


def assert_references(schema: GraphSchema, store: GraphStore, obs: PackedObs) -> None:
    """Raise AssertionError unless every reference leads to a node of its type, or to a row."""
    for i in range(len(obs["slot"])):
        mine = slice(obs["candidate_ptr"][i], obs["candidate_ptr"][i + 1])
        workers = slice(obs["resource_ptr"][i], obs["resource_ptr"][i + 1])
        for role, node in enumerate(schema.candidate_nodes):
            rows = obs["candidate_node"][mine, role]
            good = np.isin(rows, _ranges(schema, store, obs, i, node)).all()
            assert good, f"candidate_node {rows}: not all are nodes of type {node!r}, nor -1"
        rows = obs["resource_node"][workers]
        wanted = [-1]
        if schema.resource_node:
            wanted = _ranges(schema, store, obs, i, schema.resource_node)
        assert np.isin(rows, wanted).all(), f"resource_node {rows}: expected some of {wanted}"
        rows, room = obs["candidate_resource"][mine], workers.stop - workers.start
        assert ((rows >= -1) & (rows < room)).all(), f"candidate_resource {rows} of {room} rows"


def assert_graph(schema: GraphSchema, graph: StaticGraph) -> None:
    """Raise AssertionError unless a static graph has the schema's types, widths and ranges."""
    assert set(graph.nodes) == {node.name for node in schema.nodes}, f"nodes {set(graph.nodes)}"
    assert set(graph.edges) == {edge.name for edge in schema.edges}, f"edges {set(graph.edges)}"
    for node in schema.nodes:
        table = graph.nodes[node.name]
        assert table.dtype == np.float32, f"nodes {node.name!r} are {table.dtype}"
        assert table.shape[1:] == (len(node.features),), f"nodes {node.name!r}: {table.shape}"
        assert np.isfinite(table).all(), f"nodes {node.name!r} are not all finite"
    for edge in schema.edges:
        links = graph.edges[edge.name]
        assert links.dtype == np.int64, f"edges {edge.name!r} are {links.dtype}"
        assert links.ndim == 2, f"edges {edge.name!r} have shape {links.shape}"
        assert len(links) == 2, f"edges {edge.name!r} have shape {links.shape}"
        for row, kind in zip(links, (edge.source, edge.target), strict=True):
            inside = (row >= 0) & (row < len(graph.nodes[kind]))
            assert inside.all(), f"edges {edge.name!r} leave the nodes {kind!r}"
        rows = graph.edge_features.get(edge.name, np.zeros((links.shape[1], 0), np.float32))
        expected = (links.shape[1], len(edge.features))
        assert rows.shape == expected, f"edge features {edge.name!r}: {rows.shape} not {expected}"
        assert rows.dtype == np.float32, f"edge features {edge.name!r} are {rows.dtype}"


def check_observations(cases: Cases) -> None:
    """Every observation of random episodes, and every graph they refer to."""
    schema, sim = cases.domain.schema, cases.started()
    player = Player(range(sim.num_slots), cases.seed)
    seen: set[int] = set()
    for instance in cases.instances:
        assert_graph(schema, cases.domain.static_graph(instance))
    while len((obs := sim.observe())["slot"]):
        assert_packed(schema, obs, sim.num_slots)
        assert_references(schema, sim.store, obs)
        for graph in set(obs["graph"].tolist()) - seen:
            assert_graph(schema, sim.store.graph(graph))
            seen.add(graph)
        sim.step(player.choose(obs["slot"], np.diff(obs["candidate_ptr"])))
    assert_packed(schema, obs, sim.num_slots)


def check_ownership(cases: Cases) -> None:
    """Arrays of an observation belong to the caller: writing to them changes nothing."""
    sim: BatchSim[Any, Any] = cases.started()
    before = blocks(cases, sim)
    for array in sim.observe().values():
        np.asarray(array)[...] = 99
    assert_same(before, blocks(cases, sim), "after the caller wrote to an observation")


def check_environment(cases: Cases) -> None:
    """`GraphSchedEnv` over the domain passes Gymnasium's own check without a warning."""
    for instance in cases.instances[:2]:
        env = GraphSchedEnv(cases.domain, instance=instance, max_candidates=10**4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_env(env, skip_render_check=True)
        messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
        assert not messages, f"{instance.name}: Gymnasium warns: {messages[0]}"
