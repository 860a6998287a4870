"""The database of these tests, which `make test` copies from one that it keeps."""

from __future__ import annotations

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def test_no_migration_is_missing(db):
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
