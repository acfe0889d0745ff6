"""Modules of the agents know each other one way, even for types."""

from __future__ import annotations

import grimp


def test_no_module_leads_back_to_itself() -> None:
    """Circles among imports for type checking hide from Python, not from readers."""
    graph = grimp.build_graph("graphsched", exclude_type_checking_imports=False)
    modules = [m for m in graph.modules if m.startswith("graphsched.agents.")]
    assert len(modules) > 20
    circles = [
        (module, used)
        for module in modules
        for used in graph.find_modules_directly_imported_by(module)
        if graph.chain_exists(importer=used, imported=module)
    ]
    assert circles == []
