"""Writing random programs: layers forward, and the training step that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphsched.envs.memory.instance import Buffer, Instruction, MemoryInstance

if TYPE_CHECKING:
    from graphsched.envs.memory.hardware.machine import Machine

WIDTH = 2  # bytes of a number (bfloat16)


@dataclass
class Operator:
    """What backward needs to know of a forward operator."""

    name: str
    flops: float
    inputs: tuple[int, ...]  # buffers with a gradient
    parameters: tuple[int, ...]
    output: int
    keeps: tuple[int, ...]  # buffers that its backward reads


@dataclass
class Builder:
    """A program in the making."""

    buffers: list[Buffer] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)

    def buffer(self, elements: float, kind: str = "temporary", name: str = "") -> int:
        """A new buffer of so many numbers; returns its index."""
        size = max(int(elements), 1) * WIDTH
        self.buffers.append(Buffer(name or f"{kind[0]}{len(self.buffers)}", size, kind))
        return len(self.buffers) - 1

    def elements(self, buffer: int) -> int:
        """Numbers in a buffer."""
        return self.buffers[buffer].size // WIDTH

    def emit(self, name: str, flops: float, reads: list[int], writes: list[int]) -> None:
        """Append an instruction that touches all of its operands."""
        size = [buffer.size for buffer in self.buffers]
        unique = dict.fromkeys(reads)
        self.instructions.append(
            Instruction(
                name,
                float(flops),
                tuple((b, size[b]) for b in unique),
                tuple((b, size[b]) for b in writes),
            )
        )

    def apply(
        self,
        name: str,
        flops: float,
        elements: float,
        inputs: tuple[int, ...],
        parameters: tuple[int, ...] = (),
        keeps: tuple[int, ...] | None = None,
    ) -> int:
        """A forward operator with one output of so many numbers; returns the output."""
        output = self.buffer(elements)
        self.emit(name, flops, [*inputs, *parameters], [output])
        kept = (*inputs, *parameters) if keeps is None else keeps
        self.operators.append(Operator(name, flops, inputs, parameters, output, kept))
        return output

    def linear(self, source: int, rows: float, inner: float, columns: float) -> int:
        """Rows times a new weight matrix."""
        weight = self.buffer(inner * columns, "parameter")
        return self.apply(
            "matmul", 2 * rows * inner * columns, rows * columns, (source,), (weight,)
        )

    def pointwise(self, name: str, *sources: int, cost: float = 1.0) -> int:
        """An elementwise operator."""
        elements = self.elements(sources[0])
        keeps = () if name == "add" else sources
        return self.apply(name, cost * elements * len(sources), elements, sources, (), keeps)

    def norm(self, source: int, width: float) -> int:
        """A normalisation with a scale."""
        scale = self.buffer(width, "parameter")
        elements = self.elements(source)
        return self.apply("norm", 8 * elements, elements, (source,), (scale,))

    def backward(self, loss: int) -> None:
        """The gradients of all parameters and an update of each, in reverse."""
        gradients = {loss: self.buffer(self.elements(loss))}
        self.emit("loss", 4 * self.elements(loss), [loss], [gradients[loss]])
        for operator in reversed(self.operators):
            if operator.output not in gradients:
                continue
            above = gradients[operator.output]
            for target in operator.inputs:
                fresh = self.buffer(self.elements(target))
                self.emit(
                    f"{operator.name}_grad", operator.flops, [above, *operator.keeps], [fresh]
                )
                gradients[target] = self._accumulate(gradients.get(target), fresh)
            for parameter in operator.parameters:
                fresh = self.buffer(self.elements(parameter))
                reads = [above, *(b for b in operator.keeps if b != parameter)]
                self.emit(f"{operator.name}_wgrad", operator.flops, reads, [fresh])
                self._update(parameter, fresh)

    def _accumulate(self, old: int | None, fresh: int) -> int:
        if old is None:
            return fresh
        total = self.buffer(self.elements(fresh))
        self.emit("accumulate", self.elements(fresh), [old, fresh], [total])
        return total

    def _update(self, parameter: int, gradient: int) -> None:
        """Momentum: the optimizer's state and the parameter are read and written."""
        elements = self.elements(parameter)
        state = self.buffer(elements, "state")
        before = self.buffers[parameter]
        self.buffers[parameter] = Buffer(before.name, before.size, "state")
        self.emit("update", 4 * elements, [parameter, gradient, state], [parameter, state])

    def finish(self, name: str, machine: Machine, *outputs: int) -> MemoryInstance:
        """The program, with these buffers as its outputs."""
        for b in outputs:
            old = self.buffers[b]
            self.buffers[b] = Buffer(old.name, old.size, "output")
        return MemoryInstance(name, tuple(self.buffers), tuple(self.instructions), machine)
