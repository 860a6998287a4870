"""Migrations, and the database of these tests, which `make test` copies from one that it keeps."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

from tasks_app.migrations._indexes import AddIndexBesideWork
from tasks_app.models import Job


def test_no_migration_is_missing(db):
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_was_interrupted_while_an_index_was_made_can_be_repeated():
    (index,) = (one for one in Job._meta.indexes if one.name == "job_by_creation")
    states = ProjectState.from_apps(apps), ProjectState.from_apps(apps)
    with connection.schema_editor(atomic=False) as editor:
        AddIndexBesideWork("job", index).database_forwards("tasks_app", editor, *states)
    with connection.cursor() as cursor:
        assert connection.introspection.get_constraints(cursor, Job._meta.db_table)[index.name]["index"]
