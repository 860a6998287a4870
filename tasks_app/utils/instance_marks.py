"""Marks of model instances between two signals, kept beside the instances."""

from __future__ import annotations

from weakref import WeakValueDictionary

from django.db.models import Model


class InstanceMarks:
    """Instances marked before they are saved, for the receiver that runs afterwards.

    Marks go by identity, since an instance may have no primary key yet, and end with the instance if its save fails.
    """

    def __init__(self) -> None:
        self._marked: WeakValueDictionary[int, Model] = WeakValueDictionary()

    def set(self, instance: Model, is_marked: bool) -> None:
        """Mark the instance, or remove its mark."""
        if is_marked:
            self._marked[id(instance)] = instance
        else:
            self._marked.pop(id(instance), None)

    def take(self, instance: Model) -> bool:
        """Return whether the instance is marked, and remove the mark."""
        return self._marked.pop(id(instance), None) is not None
