"""From a PyTorch module to a program, by way of `torch.export`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphsched.envs.memory.hardware.machine import Machine

GATHERS = ("embedding", "index_select", "gather", "index")  # they touch what they return only
VIEWS = ("_unsafe_view",)  # views that don't say so
FILLS = (
    "bernoulli_",
    "copy_",
    "fill_",
    "normal_",
    "uniform_",
    "zero_",
)  # don't read what they write
UNFILLED = (
    "empty",
    "empty_like",
    "empty_permuted",
    "new_empty",
    "empty_strided",
    "new_empty_strided",
)
SHAPES = (
    "full_like",
    "new_full",
    "new_ones",
    "new_zeros",
    "ones_like",
    "zeros_like",
)  # read no data
BATCH_NORM = "native_batch_norm"  # updates its statistics, arguments 3 and 4, and doesn't say so


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
        self._unfilled: set[int] = set()  # buffers that nothing has been written to

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

    def placeholder(self, node: Any, kind: str, name: str | None = None) -> None:
        """What the program is given."""
        value = node.meta["val"]
        here = hasattr(value, "dtype")
        self._of[node] = [self.add(name or node.name, value, kind) if here else None]

    def buffer(self, node: Any) -> int:
        """The buffer of a node that has one result."""
        (found,) = self._of[node]
        assert found is not None
        return found

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
        name = operator_name(node)
        reads = [] if name in SHAPES + UNFILLED else list(self._read(node))
        views = [r.alias_info for r in schema.returns] if (schema := _schema(node)) else []
        shares = reads and ((views and all(v is not None for v in views)) or name in VIEWS)
        out = [
            self.add(
                self._name(node, k, results), result, "temporary", reads[0][0] if shares else None
            )
            if hasattr(result, "dtype")
            else None
            for k, result in enumerate(results)
        ]
        self._of[node] = out
        if not shares:
            made = [b for b in out if b is not None]
            if name in UNFILLED:
                self._unfilled.update(made)
            else:
                self._emit(node, reads, made + self._changed(node))
        elif views and views[0] is not None and views[0].is_write:
            self._emit(node, reads[1:] if name in FILLS else reads, [reads[0][0]])

    def _changed(self, node: Any) -> list[int]:
        """Buffers that an operator writes besides its results."""
        schema = _schema(node)
        if schema is None:
            return []
        changed = [
            node.args[k]
            for k, argument in enumerate(schema.arguments[: len(node.args)])
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        if operator_name(node) == BATCH_NORM and node.args[5]:
            changed += [node.args[3], node.args[4]]
        return [
            b for given in changed if given in self._of for b in self._of[given] if b is not None
        ]

    def settle(self) -> None:
        """What the program is given and changes is a state."""
        for instruction in self.instructions:
            for buffer, _ in instruction.writes:
                root = self.root(buffer)
                if self.buffers[root].kind in ("parameter", "input"):
                    self.buffers[root] = replace(self.buffers[root], kind="state")

    def root(self, buffer: int) -> int:
        """The buffer whose memory this one shares, perhaps itself."""
        while (above := self.buffers[buffer].alias) is not None:
            buffer = above
        return buffer

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
        name = operator_name(node)
        if name in GATHERS and reads:
            least = min(reads[0][1], sum(size for _, size in written))
            reads = [(reads[0][0], least), *reads[1:]]
        unique = {b: size for b, size in reads if self.root(b) not in self._unfilled}
        self._unfilled.difference_update(self.root(b) for b in writes)
        self.instructions.append(
            Instruction(name, flops(node), tuple(unique.items()), tuple(written))
        )

    def outputs(self, nodes: Any) -> None:
        """What the program leaves."""
        for node in nodes:
            for buffer in self._of.get(node, []):
                if buffer is not None:
                    old = self.buffers[buffer]
                    given = self.buffers[self.root(buffer)].kind != "temporary"
                    kind = "state" if given else "output"
                    self.buffers[buffer] = Buffer(old.name, old.size, kind, old.alias)


def operator_name(node: Any) -> str:
    """Such as ``add``."""
    return str(node.target).removeprefix("aten.").rpartition(".")[0] or str(node.target)


def _schema(node: Any) -> Any:
    return getattr(node.target, "_schema", None)


def grouped_flops(node: Any) -> float:
    """Of a product with one matrix for each group of rows, as experts are: of the rows that there are.

    Each row meets one matrix, so (rows, k) by (groups, k, n) takes 2 * rows * k * n. With two
    flat operands, (m, rows) by (rows, n), as in the backward pass, each row is in one group too. The
    backward pass as a single operator makes gradients of both operands: twice as many.
    """
    value = node.meta["val"]
    if isinstance(value, list | tuple):
        return 4.0 * int(value[0].numel()) * int(value[1].shape[-1])
    left, right = (argument.meta["val"] for argument in node.args[:2])
    return 2.0 * int(left.numel()) * int(right.shape[-1])


def flops(node: Any) -> float:
    """Arithmetic operations of an operator.

    Torch's own count of products, convolutions and attention; else one for each element it makes.
    """
    from torch.utils._pytree import tree_map
    from torch.utils.flop_counter import flop_registry

    value = node.meta.get("val")
    packet = getattr(node.target, "overloadpacket", None)
    if "grouped_mm" in operator_name(node):
        return grouped_flops(node)
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
    reader.settle()
    return MemoryInstance(name, tuple(reader.buffers), tuple(reader.instructions), machine)
