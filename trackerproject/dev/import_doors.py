"""A contract type for import-linter: the modules of a room are imported from outside through the room's package only.

A room is a package directly below one of `containers`, or one of `rooms`; the names that its `__init__` imports are its door.
"""

from __future__ import annotations

from typing import Any

import grimp
from importlinter import Contract, ContractCheck, fields, output


class DoorsContract(Contract):
    """Broken by an import of a module inside a room from a module outside it."""

    containers = fields.ListField(subfield=fields.StringField())
    rooms: Any = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        rooms = list(self.rooms or [])
        rooms += [room for container in self.containers for room in sorted(graph.find_children(container))]  # type: ignore[attr-defined]
        passed_by = sorted(found for room in rooms for found in imports_past_door(graph, room))
        return ContractCheck(kept=not passed_by, metadata={"imports": passed_by})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, line in check.metadata["imports"]:
            output.print_error(f"- {importer} (l. {line}) imports {imported}, not its room's package", bold=False)


def imports_past_door(graph: Any, room: str) -> list[tuple[str, str, int]]:
    """Imports of modules inside `room` from modules outside it: (importer, imported, line)."""
    inside = graph.find_descendants(room)
    return [
        (importer, module, graph.get_import_details(importer=importer, imported=module)[0]["line_number"])
        for module in inside
        for importer in graph.find_modules_that_directly_import(module)
        if importer != room and importer not in inside
    ]
