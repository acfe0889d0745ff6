"""Compiling kernels that only other kernels call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., Any])


def inner(function: F) -> F:
    """`numba.njit` without the entry points for Python and C, which take most of the compile time.

    Unpacking a struct of arrays with dozens of fields is much more code than a small kernel.
    The function can be called from compiled code only.
    """
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: F = njit(cache=True, **options)(function)
    return compiled
