"""Pictures of solutions as files: .html, .png or .txt."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.core.parts.writing import prepare_file

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.envs.core.domain import Domain

SUFFIXES = (".html", ".png", ".txt")


def check_picture(path: Path) -> None:
    """Raises InputError if the path's suffix is not a picture's, or can't be written to."""
    if path.suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(path, f"expected a file name ending in {known}, found {path.suffix!r}")
    if path.suffix == ".png":
        require(path, "matplotlib")
    prepare_file(path)


def picture(domain: Domain[Any, Any], instance: Any, solution: Any, path: Path) -> bytes:
    """A solution drawn in the format that the path's suffix names."""
    if path.suffix == ".html":
        return domain.render_html(instance, solution).encode()
    if path.suffix == ".txt":
        return (domain.render_text(instance, solution) + "\n").encode()
    return _png(domain, instance, solution)


def _png(domain: Domain[Any, Any], instance: Any, solution: Any) -> bytes:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, domain.render_rgb(instance, solution), format="png")
    return buffer.getvalue()
