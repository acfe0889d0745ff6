"""Machines with a small fast memory in front of a large slow one."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.documents import check_names, read_name
from graphsched.envs.core.parts.values import count, number, python_scalars

KIB, MIB, GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True)
class Machine:
    """What a program runs on.

    Attributes:
        name: shown in reports.
        flops_per_s: arithmetic operations per second.
        slow_bandwidth: bytes per second between slow memory and the arithmetic units.
        fast_bandwidth: the same for fast memory.
        copy_bandwidth: bytes per second that the copy engines together move at most; they share
            the slow memory's bandwidth with the instruction that runs, which goes first.
        fast_capacity: bytes of fast memory.
        alignment: offsets in fast memory are multiples of it, bytes.
    """

    name: str
    flops_per_s: float
    slow_bandwidth: float
    fast_bandwidth: float
    copy_bandwidth: float
    fast_capacity: int
    alignment: int = 1

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        for field in ("flops_per_s", "slow_bandwidth", "fast_bandwidth", "copy_bandwidth"):
            value = number(getattr(self, field), f"machine.{field}")
            if value <= 0:
                raise InputError(f"machine.{field}", f"expected a number > 0, found {value}")
            object.__setattr__(self, field, value)
        if self.fast_bandwidth < self.slow_bandwidth:
            problem = f"expected at least the slow memory's {self.slow_bandwidth:g}"
            raise InputError("machine.fast_bandwidth", f"{problem}, found {self.fast_bandwidth:g}")
        count(self.fast_capacity, "machine.fast_capacity", 0)
        count(self.alignment, "machine.alignment", 1)

    def with_capacity(self, fast_capacity: int) -> Machine:
        """The same machine with another fast memory."""
        return replace(self, fast_capacity=fast_capacity)

    def to_json(self) -> dict[str, Any]:
        """JSON document; `machine_from_json` reads it back."""
        return asdict(self)


# Peak figures. TPUv4i: Jouppi et al., "Ten Lessons From Three Generations Shaped Google's TPUv4i",
# ISCA 2021: 138 TFLOP/s in bf16, 614 GB/s, 128 MiB of CMEM; that fast memory has 20 times the
# bandwidth of HBM is an assumption, as is every alignment. NPU: the Arm Ethos-U65 class, 1 TOPS with
# 512 KiB of SRAM (Arm's technical overview), LPDDR4 at 3.2 GB/s. GPU: A100 PCIe, 312 TFLOP/s in bf16
# and 1,935 GB/s (NVIDIA's data sheet), host memory behind PCIe 4.0 x16. Flash: a laptop as in "LLM
# in a flash" (Alizadeh et al. 2023), about 6 GB/s of sequential reads in front of 100 GB/s of DRAM.
PRESETS = {
    machine.name: machine
    for machine in (
        Machine("tpuv4i", 138e12, 614e9, 20 * 614e9, 614e9, 128 * MIB, 512),
        Machine("edge-npu", 1e12, 3.2e9, 32e9, 3.2e9, 512 * KIB, 16),
        Machine("gpu-offload", 312e12, 32e9, 1935e9, 32e9, 40 * GIB, 512),
        Machine("flash", 2.6e12, 6e9, 100e9, 6e9, 8 * GIB, 4096),
    )
}


def machine_from_json(document: Any) -> Machine:
    """Inverse of `Machine.to_json`, or a preset by its name; raises InputError naming the field."""
    if isinstance(document, str):
        if document not in PRESETS:
            raise InputError("machine", f"{document!r:.40} is not one of {', '.join(PRESETS)}")
        return PRESETS[document]
    if not isinstance(document, dict):
        raise InputError("machine", "expected an object or the name of a preset")
    needed = [field.name for field in fields(Machine) if field.default is MISSING]
    check_names(document, needed, ("alignment",), "machine.")
    read_name(document["name"], "machine.name")
    return Machine(**document)
