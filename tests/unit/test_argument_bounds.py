"""Arguments of every task: meaningless numbers are refused before a job, a schedule or a retry is made of them."""

from __future__ import annotations

import math
import typing
from typing import Any

import pytest

from tasks_app.engine import InvalidArguments
from tests.support.task_starts import call_of, product_tasks

NOT_A_NUMBER = [
    True,
    False,
    math.nan,
    math.inf,
    -math.inf,
    "5",
    "",
    [],
    [5],
    {},
    b"5",
    1e308,
    -1e308,
    10**30,
    -(10**30),
    -5,
]
WRONG = {int: [*NOT_A_NUMBER, 0, 2**63, 5.5, -1], float: [*NOT_A_NUMBER, -0.5]}
FLAGS: list[Any] = [0, 1, 5, "true", "", math.nan, [], None]


def parameters() -> list[tuple[str, str, Any, list[Any]]]:
    """Return each number and flag of each task, also of lists, with values that it does not take."""
    found = []
    for task in product_tasks():
        for name, hint in typing.get_type_hints(task.function).items():
            if name == "return":
                continue
            kinds = [kind for kind in (typing.get_args(hint) or [hint]) if kind is not type(None)]
            for kind in kinds:
                if kind in WRONG:
                    found.append((task.name, name, task, WRONG[kind]))
                elif kind is bool:
                    is_optional = type(None) in typing.get_args(hint)
                    found.append((task.name, name, task, FLAGS[:-1] if is_optional else FLAGS))
                elif kind is list or typing.get_origin(kind) is list:
                    found.append((task.name, name, task, [5, "5", True, [[5]], *([one] for one in WRONG[int])]))
    return found


@pytest.mark.parametrize(("task_name", "name", "task", "values"), parameters(), ids=str)
def test_no_argument_takes_a_meaningless_value(task_name, name, task, values):
    taken = []
    for value in values:
        try:
            task.arguments.check([], {**call_of(task), name: value})
        except InvalidArguments:
            continue
        taken.append(value)
    assert taken == []


def test_every_kind_of_parameter_is_tried():
    tried = {(name, parameter) for name, parameter, *_others in parameters()}
    assert ("cleanup_old_positions", "days_to_keep") in tried
    assert ("generate_fleet_report", "device_ids") in tried
    assert ("send_speed_alert", "speed") in tried
