"""A training step of a PyTorch module as a program: forward, backward, update of the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance
from graphsched.envs.memory.sources.extraction.graph import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.memory.hardware.machine import Machine

# Tensors that an optimizer keeps for each parameter, and operations for each of its elements as
# written in the papers: w - r g; and, for Adam, two averages (3 and 4), two corrections by known
# factors (2), a root, a sum, a quotient, a product and a difference.
OPTIMIZERS = {"none": (0, 0), "sgd": (0, 2), "adam": (2, 14)}


def _with_loss(module: Any) -> Any:
    """The module with a scalar at its end.

    The cross-entropy with class 0 of each of the logits, where the module's result has such; else
    the mean square of its first tensor.
    """
    import torch

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = module

        def forward(self, *arguments: Any) -> Any:
            found = self.body(*arguments)
            if hasattr(found, "logits"):
                logits = found.logits.flatten(0, -2)
                target = logits.new_zeros(logits.shape[0], dtype=torch.long)
                return torch.nn.functional.cross_entropy(logits, target)
            if not isinstance(found, torch.Tensor):
                found = next(iter(found.values() if hasattr(found, "values") else found))
            return (found * found).mean()

    return Loss()


def _joint(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Graph of (parameters, buffers, arguments) to (loss, gradients); parameters; buffers.

    Exported first: modelling code of language models can't be traced for gradients as it stands.
    Tensors that a module has under several names (tied weights) are one.
    """
    import torch
    from torch.func import functional_call
    from torch.fx.experimental.proxy_tensor import make_fx

    module = _with_loss(module)
    exported = torch.export.export(module, arguments, strict=False).module()
    first: dict[int, str] = {}
    alike = {
        name: first.setdefault(id(tensor), name)
        for name, tensor in module.named_parameters(remove_duplicate=False)
    }
    parameters = dict(module.named_parameters())
    buffers = dict(exported.named_buffers())

    def step(*tensors: Any) -> tuple[Any, list[Any]]:
        own = [t.detach().requires_grad_() for t in tensors[: len(parameters)]]
        rest = tensors[len(parameters) :]
        by_name = dict(zip(parameters, own, strict=True))
        given = {name: by_name[root] for name, root in alike.items()}
        given |= dict(zip(buffers, rest, strict=False))
        loss = functional_call(exported, given, rest[len(buffers) :], tie_weights=False)
        return loss.detach(), list(torch.autograd.grad(loss, own, allow_unused=True))

    flat = (*(p.detach() for p in parameters.values()), *buffers.values(), *arguments)
    trace: Callable[..., Any] = make_fx(step, tracing_mode="fake")
    graph = trace(*flat).graph
    graph.eliminate_dead_code()
    return graph, parameters, buffers


def _update(reader: Reader, parameter: int, gradient: int, optimizer: str) -> None:
    """One fused instruction for each parameter, as fused optimizers have."""
    kept, operations = OPTIMIZERS[optimizer]
    buffer = reader.buffers[parameter]
    own = [parameter]
    for k in range(kept):
        reader.buffers.append(Buffer(f"{buffer.name}.moment{k + 1}", buffer.size, "state"))
        own.append(len(reader.buffers) - 1)
    changed = tuple((b, buffer.size) for b in own)
    elements = buffer.size // reader.width
    reads = ((gradient, reader.buffers[gradient].size), *changed)
    reader.instructions.append(Instruction(optimizer, float(operations * elements), reads, changed))


def training_program(
    module: Any,
    arguments: tuple[Any, ...],
    name: str,
    machine: Machine,
    width: int = 2,
    optimizer: str = "sgd",
) -> MemoryInstance:
    """A training step of a module as a program.

    Args:
        module: a `torch.nn.Module`; one in training mode has its dropout and batch statistics.
        arguments: example inputs; their shapes are the program's.
        name: of the program.
        machine: to run on.
        width: bytes of a floating-point number.
        optimizer: one of `OPTIMIZERS`, whose updates come after all gradients; with ``none``, the
            gradients are outputs.

    Raises:
        InputError: for the optimizer.
    """
    if optimizer not in OPTIMIZERS:
        raise InputError(f"optimizer {optimizer!r:.40}", f"not one of {', '.join(OPTIMIZERS)}")
    graph, parameters, buffers = _joint(module, arguments)
    reader = Reader(width)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    known = len(parameters) + len(buffers)
    for k, (node, called) in enumerate(
        zip(inputs, [*parameters, *buffers, *[None] * (len(inputs) - known)], strict=True)
    ):
        reader.placeholder(node, "parameter" if k < known else "input", called)
    for node in graph.nodes:
        if node.op == "call_function":
            reader.call(node)
        elif node.op == "get_attr":
            reader.placeholder(node, "parameter")
    (output,) = (node for node in graph.nodes if node.op == "output")
    loss, gradients = output.args[0]
    reader.outputs([loss])
    for node, gradient in zip(inputs, gradients, strict=False):
        if gradient is None:
            continue
        if optimizer == "none":
            reader.outputs([gradient])
        else:
            _update(reader, reader.buffer(node), reader.buffer(gradient), optimizer)
    reader.settle()
    return MemoryInstance(name, tuple(reader.buffers), tuple(reader.instructions), machine)
