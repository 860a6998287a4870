"""Marks of instances between two signals."""

from __future__ import annotations

import gc

from tasks_app.models import Fleet
from tasks_app.utils.instance_marks import InstanceMarks


def test_a_mark_is_of_one_instance_and_taken_once():
    marks, one, other = InstanceMarks(), Fleet(name="North"), Fleet(name="North")
    marks.set(one, True)
    assert not marks.take(other)
    assert marks.take(one)
    assert not marks.take(one)


def test_a_mark_is_removed_by_the_next_save_without_one():
    marks, fleet = InstanceMarks(), Fleet(name="North")
    marks.set(fleet, True)
    marks.set(fleet, False)
    assert not marks.take(fleet)


def test_a_mark_ends_with_its_instance():
    marks, fleet = InstanceMarks(), Fleet(name="North")
    marks.set(fleet, True)
    del fleet
    gc.collect()
    assert not marks._marked
