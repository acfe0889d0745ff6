"""The one file format of crews: JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from tests.toy_domain.instance import CrewInstance, instance_from_json

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> CrewInstance:
    """Read what `CrewInstance.to_json` writes; raises InputError."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(path, f"expected a JSON file: {error}") from None
    return instance_from_json(document)


READERS = {"auto": read_json, "json": read_json}
