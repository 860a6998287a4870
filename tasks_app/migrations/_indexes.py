"""Indexes of large tables as operations of migrations."""

from django.contrib.postgres.operations import AddIndexConcurrently


class AddIndexBesideWork(AddIndexConcurrently):
    """Add an index while rows are written, in a migration that is not atomic.

    What a run left that was interrupted on the way goes first: PostgreSQL keeps the unfinished index, and its name is taken.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        """Drop what is there, and make the index."""
        self._ensure_not_in_transaction(schema_editor)
        if self.allow_migrate_model(schema_editor.connection.alias, to_state.apps.get_model(app_label, self.model_name)):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)
