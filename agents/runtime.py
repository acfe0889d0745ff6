"""Trained policies without torch: numpy and onnxruntime, and numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnxruntime

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.agents.bundles.shapes import (
    check_decoder,
    check_inputs,
    decoder_columns,
    decoder_shapes,
    encoder_columns,
)
from graphsched.agents.bundles.shipped import DEFAULT, find_policy
from graphsched.agents.networks.choice import decide
from graphsched.agents.networks.embeddings import EmbeddingTable
from graphsched.agents.networks.outside import Tally, Watch
from graphsched.agents.networks.packing import collate_arrays, decoder_inputs, encoder_inputs
from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.agents.bundles.bundle import Bundle
    from graphsched.agents.networks.choice import Decisions
    from graphsched.agents.networks.packing import NetworkObs
    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.graph import GraphSchema, GraphStore, PackedObs, StaticGraph

BACKENDS = ("auto", "kernel", "onnx")


class DecoderBackend(Protocol):
    """What computes the decoder; `kernel.DecoderKernel` is one. Tables are its own business."""

    def project(self, table: NDArray[np.float32]) -> Any:
        """Prepare a node table of shape (rows, embedding width)."""
        ...

    def project_rows(self, tables: Any, table: NDArray[np.float32], start: int, height: int) -> Any:
        """Replace the rows from ``start`` on; ``height`` is that of the whole node table."""
        ...

    def act(
        self,
        obs: NetworkObs,
        tables: Any,
        uniforms: NDArray[np.float64],
        greedy: bool | NDArray[np.bool_] = False,
        temperature: float = 1.0,
    ) -> Decisions:
        """Decide in every block."""
        ...

    def logits(
        self, obs: NetworkObs, tables: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(C,) logits and (N,) values."""
        ...


class OnnxDecoder:
    """The decoder by onnxruntime."""

    def __init__(self, schema: GraphSchema, session: onnxruntime.InferenceSession) -> None:
        """Args: schema: that the decoder was made for. session: of the exported decoder."""
        self._inputs = decoder_inputs(schema)
        self._columns = len(schema.candidate)  # observations may have newer ones behind these
        self._session = session

    def project(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """The table: the exported decoder projects it itself."""
        return np.ascontiguousarray(table, np.float32)

    def project_rows(
        self, tables: NDArray[np.float32], table: NDArray[np.float32], start: int, height: int
    ) -> NDArray[np.float32]:
        """See `DecoderBackend.project_rows`."""
        if height > len(tables):
            tables = np.pad(tables, ((0, height - len(tables)), (0, 0)))
        tables[start : start + len(table)] = table
        return tables

    def logits(
        self, obs: NetworkObs, tables: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `DecoderBackend.logits`."""
        if not len(obs["kind"]):
            return np.empty(0, np.float32), np.empty(0, np.float32)
        given = {name: obs[name] for name in self._inputs}  # type: ignore[literal-required]
        given["candidate"] = np.ascontiguousarray(obs["candidate"][:, : self._columns])
        logits, values = self._session.run(None, {**given, "table": tables})
        return logits, values

    def act(
        self,
        obs: NetworkObs,
        tables: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        greedy: bool | NDArray[np.bool_] = False,
        temperature: float = 1.0,
    ) -> Decisions:
        """See `DecoderBackend.act`."""
        logits, values = self.logits(obs, tables)
        return decide(logits, values, obs["candidate_ptr"], uniforms, greedy, temperature)


class Policy:
    """A trained policy.

    Attributes:
        name: of its bundle.
        domain: that it decides for.
        config, metrics: documents of its bundle.
        simulator_options: of its training.
        tally: of the decisions that it took.
    """

    def __init__(self, bundle: Bundle, backend: str = "auto") -> None:
        """Args: bundle: the policy. backend: one of `BACKENDS`; auto is the kernel."""
        if backend not in BACKENDS:
            raise InputError(f"backend {backend!r}", f"not one of {', '.join(BACKENDS)}")
        if backend == "auto":
            backend = "kernel"
        self._bundle = bundle
        networks = bundle.networks
        self.name = bundle.name
        self.domain: Domain[Any, Any] = bundle.domain
        self.config: Mapping[str, Any] = bundle.config
        self.metrics: Mapping[str, Any] = bundle.metrics
        self.simulator_options = bundle.simulator_options
        self.backend = backend
        self._schema = bundle.domain.schema
        encoder = bundle.path / "encoder.onnx"
        self._encoder = _session(encoder, networks.encoder_onnx)
        check_inputs(encoder, self._encoder, encoder_columns(self._schema))
        params = _decoder_params(bundle)
        self._decoder = _decoder(bundle, params, backend)
        self._watch, self.tally = Watch(self._schema, params), Tally()
        self._width = networks.width
        self._blind = _is_blind(networks.params, self._schema, networks.width)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its bundle's content: other processes open sessions of their own."""
        return Policy, (self._bundle, self.backend)

    def encode(self, graphs: Sequence[StaticGraph]) -> NDArray[np.float32]:
        """Node embeddings (rows, width), graph after graph."""
        if self._blind:  # no weight looks at embeddings, so none need be computed
            return np.zeros((sum(g.num_nodes for g in graphs), self._width), np.float32)
        arrays = collate_arrays(self._schema, graphs)
        (rows,) = self._encoder.run(None, encoder_inputs(self._schema, arrays))
        return np.asarray(rows[arrays.rows], np.float32)

    def project(self, table: NDArray[np.float32]) -> Any:
        """What `act` and `logits` take, from a node table."""
        return self._decoder.project(table)

    def project_rows(self, tables: Any, rows: NDArray[np.float32], start: int, height: int) -> Any:
        """Replace the rows of whole graphs in projected tables, or append them."""
        return self._decoder.project_rows(tables, rows, start, height)

    def logits(
        self, obs: NetworkObs, tables: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(C,) logits and (N,) values."""
        self._count(obs)
        return self._decoder.logits(obs, tables)

    def act(
        self,
        obs: NetworkObs,
        tables: Any,
        uniforms: NDArray[np.float64],
        greedy: bool | NDArray[np.bool_] = False,
        temperature: float = 1.0,
    ) -> Decisions:
        """Decide in every block; arguments as in `kernel.DecoderKernel.act`."""
        self._count(obs)
        return self._decoder.act(obs, tables, uniforms, greedy, temperature)

    def _count(self, obs: NetworkObs) -> None:
        self.tally.decisions += len(obs["kind"])
        self.tally.outside += self._watch.count(obs)


class Session:
    """A policy at work on one simulator's graphs, each encoded when it is first met."""

    def __init__(self, policy: Policy, store: GraphStore) -> None:
        """Args: policy: that decides. store: of the simulator."""
        self._policy = policy
        self._store = store
        self._tables: Any = None
        # Graph by graph, so that no digit depends on what else is encoded.
        self._embeddings = EmbeddingTable(lambda graphs: [policy.encode([g]) for g in graphs])

    def locate(self, obs: PackedObs) -> NetworkObs:
        """The observation with graph rows, all of its graphs being encoded."""
        if fresh := self._embeddings.missing(obs["graph"]):
            self._embeddings.add(self._store, fresh)
            height = self._store.num_rows
            if self._tables is None:
                self._tables = self._policy.project(np.zeros_like(self._embeddings.rows))
            for start, rows in self._embeddings.blocks(fresh):
                self._tables = self._policy.project_rows(self._tables, rows, start, height)
        return self._embeddings.locate(obs)

    def logits(self, obs: PackedObs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(C,) logits and (N,) values."""
        return self._policy.logits(self.locate(obs), self._tables)

    def act(
        self,
        obs: PackedObs,
        uniforms: NDArray[np.float64],
        greedy: bool | NDArray[np.bool_] = False,
        temperature: float = 1.0,
    ) -> Decisions:
        """Decide in every block; arguments as in `kernel.DecoderKernel.act`."""
        return self._policy.act(self.locate(obs), self._tables, uniforms, greedy, temperature)


def load_policy(
    path: Path | str | None = None,
    domain: Domain[Any, Any] | str | None = None,
    backend: str = "auto",
) -> Policy:
    """Load a policy from a bundle.

    Args:
        path: of the bundle, or the name of a policy that ships with the domain; None for the one
            called ``default``. A folder that bears such a name is ``./name``, or a `Path`.
        domain: that it must belong to; needed without a path.
        backend: one of `BACKENDS`.

    Raises:
        InputError: no such bundle, or it is damaged or of another domain.
    """
    if isinstance(domain, str):
        from graphsched.envs.core.registry import get_domain

        domain = get_domain(domain)
    if path is None:
        if domain is None:
            raise InputError("load_policy", "expected a path or a domain, found neither")
        path = DEFAULT
    if not str(path):
        raise InputError("policy", "expected a path or a name, found nothing")
    if domain is not None and isinstance(path, str):
        path = find_policy(domain.name, path)
    return Policy(read_bundle(path, domain), backend)


def _decoder(bundle: Bundle, params: Mapping[str, NDArray[Any]], backend: str) -> DecoderBackend:
    networks = bundle.networks
    if backend == "onnx":
        path = bundle.path / "decoder.onnx"
        session = _session(path, networks.decoder_onnx)
        check_inputs(path, session, decoder_columns(bundle.schema, networks.width))
        return OnnxDecoder(bundle.schema, session)
    from graphsched.agents.networks.kernel import DecoderKernel

    return DecoderKernel(bundle.domain.schema, params)


def _decoder_params(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """The decoder's parameters by name; raises InputError unless all are there and fit."""
    networks = bundle.networks
    shapes = decoder_shapes(bundle.domain.schema, networks.width, networks.decoder_width)
    check_decoder(bundle.path / "model.safetensors", networks.params, shapes)
    return {
        name.removeprefix("decoder."): array
        for name, array in networks.params.items()
        if name.startswith("decoder.")
    }


def _is_blind(params: Mapping[str, NDArray[Any]], schema: GraphSchema, width: int) -> bool:
    """Whether a decoder gives no weight to embeddings."""
    names = [f"decoder.candidate_refs.{k}.weight" for k in range(len(schema.candidate_nodes))]
    names += ["decoder.resource_ref.weight"] if schema.resource_node else []
    pooled = params["decoder.context_in.weight"]
    columns = pooled[:, pooled.shape[1] - width :]
    return not (columns.any() or any(params[name].any() for name in names))


def _session(path: Path, model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # same numbers on every machine, and cores left to others
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise InputError(path, f"not a model that onnxruntime can load ({error})") from error
