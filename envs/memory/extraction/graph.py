"""From a PyTorch module to a program, by way of `torch.export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphsched.envs.memory.machine import Machine

GATHERS = ("embedding", "index_select", "gather", "index")  # they touch what they return only


class Reader:
    """Walks over an exported graph and writes down buffers and instructions.

    Floating-point numbers count `width` bytes each, whatever the model was built with.
    """

    def __init__(self, width: int) -> None:
        """Args: width: bytes of a floating-point number."""
        self.width = width
        self.buffers: list[Buffer] = []
        self.instructions: list[Instruction] = []
        self._of: dict[Any, list[int | None]] = {}  # buffers of a node's results

    def size(self, tensor: Any) -> int:
        """Bytes of a tensor's elements; those repeated by a broadcast count once."""
        elements = 1
        for extent, stride in zip(tensor.shape, tensor.stride(), strict=True):
            elements *= int(extent) if stride or extent == 0 else 1
        return elements * (self.width if tensor.dtype.is_floating_point else tensor.itemsize)

    def add(self, name: str, tensor: Any, kind: str, alias: int | None = None) -> int:
        """A new buffer; returns its index."""
        self.buffers.append(Buffer(name, self.size(tensor), kind, alias))
        return len(self.buffers) - 1

    def placeholder(self, node: Any, kind: str) -> None:
        """What the program is given."""
        value = node.meta["val"]
        here = hasattr(value, "dtype")
        self._of[node] = [self.add(node.name, value, kind) if here else None]

    def call(self, node: Any) -> None:
        """An operator: nothing for a view, else an instruction."""
        import operator

        if node.target is operator.getitem:
            results = self._of[node.args[0]]
            self._of[node] = [results[node.args[1]]]
            return
        value = node.meta.get("val")
        results = list(value) if isinstance(value, list | tuple) else [value]
        if not any(hasattr(result, "dtype") for result in results):
            return  # an assertion
        schema = getattr(node.target, "_schema", None)
        reads = list(self._read(node))
        views = [r.alias_info for r in schema.returns] if schema else []
        if reads and views and all(v is not None for v in views):
            self._of[node] = [
                self.add(self._name(node, k, results), result, "temporary", reads[0][0])
                for k, result in enumerate(results)
            ]
            if views[0].is_write:
                self._emit(node, reads, [reads[0][0]])
            return
        out = [
            self.add(self._name(node, k, results), result, "temporary")
            if hasattr(result, "dtype")
            else None
            for k, result in enumerate(results)
        ]
        self._of[node] = out
        self._emit(node, reads, [b for b in out if b is not None])

    @staticmethod
    def _name(node: Any, k: int, results: list[Any]) -> str:
        return str(node.name) if len(results) == 1 else f"{node.name}.{k}"

    def _read(self, node: Any) -> Iterator[tuple[int, int]]:
        """(buffer, bytes) of each tensor that an operator is given."""
        for source in node.all_input_nodes:
            value = source.meta.get("val")
            values = value if isinstance(value, list | tuple) else [value]
            for buffer, tensor in zip(self._of[source], values, strict=False):
                if buffer is not None and hasattr(tensor, "dtype"):
                    yield buffer, self.size(tensor)

    def _emit(self, node: Any, reads: list[tuple[int, int]], writes: list[int]) -> None:
        written = [(b, self.buffers[b].size) for b in writes]
        name = str(node.target).removeprefix("aten.").rpartition(".")[0] or str(node.target)
        if name in GATHERS and reads:
            least = min(reads[0][1], sum(size for _, size in written))
            reads = [(reads[0][0], least), *reads[1:]]
        unique = dict(reads)
        self.instructions.append(
            Instruction(name, flops(node), tuple(unique.items()), tuple(written))
        )

    def outputs(self, nodes: Any) -> None:
        """What the program leaves."""
        for node in nodes:
            for buffer in self._of.get(node, []):
                if buffer is not None:
                    old = self.buffers[buffer]
                    root = buffer
                    while (above := self.buffers[root].alias) is not None:
                        root = above
                    given = self.buffers[root].kind != "temporary"
                    kind = "state" if given else "output"
                    self.buffers[buffer] = Buffer(old.name, old.size, kind, old.alias)


def flops(node: Any) -> float:
    """Arithmetic operations of an operator: torch's own count, or one for each element it makes."""
    from torch.utils._pytree import tree_map
    from torch.utils.flop_counter import flop_registry

    value = node.meta.get("val")
    packet = getattr(node.target, "overloadpacket", None)
    if packet in flop_registry:
        args, kwargs = tree_map(
            lambda x: x.meta["val"] if hasattr(x, "meta") and "val" in x.meta else x,
            (node.args, node.kwargs),
        )
        return float(flop_registry[packet](*args, **kwargs, out_val=value))
    results = value if isinstance(value, list | tuple) else [value]
    return float(sum(r.numel() for r in results if hasattr(r, "numel")))


def program_of(
    module: Any, arguments: tuple[Any, ...], name: str, machine: Machine, width: int = 2
) -> MemoryInstance:
    """The forward pass of a module as a program.

    Args:
        module: a `torch.nn.Module`.
        arguments: example inputs; their shapes are the program's.
        name: of the program.
        machine: to run on.
        width: bytes of a floating-point number.
    """
    import torch
    from torch.export.graph_signature import InputKind

    with torch.no_grad():
        exported = torch.export.export(module, arguments, strict=False).run_decompositions()
    signature = {spec.arg.name: spec.kind for spec in exported.graph_signature.input_specs}
    kinds = {
        InputKind.PARAMETER: "parameter",
        InputKind.BUFFER: "parameter",
        InputKind.CONSTANT_TENSOR: "parameter",
    }
    reader = Reader(width)
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            given = signature.get(node.name)
            reader.placeholder(node, kinds.get(given, "input") if given else "input")
        elif node.op == "call_function":
            reader.call(node)
        elif node.op == "output":
            flat = [n for n in node.all_input_nodes if n.op == "call_function"]
            reader.outputs(flat)
    return MemoryInstance(name, tuple(reader.buffers), tuple(reader.instructions), machine)
