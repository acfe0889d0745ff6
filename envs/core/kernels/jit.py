"""Compiled kernels: `kernel` in place of ``numba.njit``.

Compiled code is kept in `cache` and used again while every source it came from is the same;
what compiling takes is kept apart from all other time, see `compiling`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from numba import njit
from numba.core.types import unliteral

from graphsched.envs.core.kernels.cache import KernelCache

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    F = TypeVar("F", bound=Callable[..., Any])


@overload
def kernel(function: F, /) -> F: ...


@overload
def kernel(
    *, entry: bool = True, allocates: bool | None = None, fastmath: Set[str] = ...
) -> Callable[[F], F]: ...


def kernel(
    function: F | None = None,
    /,
    *,
    entry: bool = True,
    allocates: bool | None = None,
    fastmath: Set[str] = frozenset(),
) -> F | Callable[[F], F]:
    """Compile a function; as ``@kernel`` or ``@kernel(...)``.

    Args:
        function: to compile, when its first call comes.
        entry: whether Python can call it. Without, it can be called from compiled code only, and
            takes less time to compile: unpacking a struct of arrays with dozens of fields is much
            more code than a small kernel.
        allocates: whether it may make arrays. Without, references to arrays aren't counted, which
            is more work than most kernels that are handed a struct of dozens of arrays do; one that
            makes an array all the same doesn't compile. With neither said it is as in the kernel that
            first calls it, and true of those that Python calls. One that returns arrays or views to both
            sorts has to say true: counting callers let go of what they believe is counted.
        fastmath: LLVM's fast-math flags, such as ``contract``.
    """
    if function is None:
        return lambda function: _compiled(function, entry, allocates, fastmath)
    return _compiled(function, entry, allocates, fastmath)


def _compiled(function: F, entry: bool, allocates: bool | None, fastmath: Set[str]) -> F:
    # No C code calls a kernel; numba would compile an entry for it all the same.
    options: dict[str, Any] = {"no_cfunc_wrapper": True}
    if fastmath:
        options["fastmath"] = set(fastmath)
    if not entry:
        options["no_cpython_wrapper"] = True
    if allocates is not None:
        options["_nrt"] = allocates
    dispatcher: Any = njit(**options)(function)
    if dispatcher is not function:  # it is, with NUMBA_DISABLE_JIT
        # What numba's own enable_caching does, which knows its own caches only.
        dispatcher._cache = KernelCache(function)  # noqa: SLF001
        dispatcher.get_call_template = _without_literals(dispatcher.get_call_template)
    compiled: F = dispatcher
    return compiled


def _without_literals(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's resolution of calls among kernels, blind to the values of constant arguments.

    Otherwise a kernel is compiled again, and all that it calls, for each constant that some caller
    passes; several times the work, for what LLVM's inlining finds by itself.
    """

    def resolved(args: Any, kws: Any) -> Any:
        return resolve(
            tuple(unliteral(argument) for argument in args),
            {name: unliteral(argument) for name, argument in dict(kws).items()},
        )

    return resolved
