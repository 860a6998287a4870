"""The contract of doors: a room's modules are imported from outside through the room's package."""

from __future__ import annotations

import grimp

from trackerproject.dev.import_doors import imports_past_door

ROOM = "app.services.jobs"


def make_graph(*imports: tuple[str, str]) -> grimp.ImportGraph:
    graph = grimp.ImportGraph()
    for module in (ROOM, f"{ROOM}.actions", f"{ROOM}.bulk", "app.api"):
        graph.add_module(module)
    for importer, imported in imports:
        graph.add_import(
            importer=importer, imported=imported, line_number=3, line_contents=f"from {imported} import name"
        )
    return graph


def test_it_lets_the_package_be_imported_and_the_room_import_itself() -> None:
    graph = make_graph(("app.api", ROOM), (ROOM, f"{ROOM}.actions"), (f"{ROOM}.bulk", f"{ROOM}.actions"))

    assert imports_past_door(graph, ROOM) == []


def test_it_names_an_import_of_a_module_inside() -> None:
    graph = make_graph(("app.api", f"{ROOM}.actions"))

    assert imports_past_door(graph, ROOM) == [("app.api", f"{ROOM}.actions", 3)]
