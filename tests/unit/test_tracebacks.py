"""Which frames of a traceback are the project's own."""

from __future__ import annotations

import pytest

from tasks_app.utils.tracebacks import own_frames

HEAD, END = "Traceback (most recent call last):", "ValueError: no van"
ENGINE = (
    '  File "/srv/tracker/tasks_app/engine/attempt.py", line 90, in run\n    return function()\n           ^^^^^^^^^^'
)
OWN = '  File "/srv/tracker/tasks_app/services/devices/days.py", line 7, in compute\n    raise ValueError\n    ^^^^^^'
LIBRARY = '  File "/venv/lib/python3.11/site-packages/django/db/models.py", line 1, in get\n    raise'


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ([HEAD, ENGINE, OWN, LIBRARY, END], [HEAD, OWN, END]),
        ([HEAD, ENGINE, OWN, END, "of two lines"], [HEAD, OWN, END, "of two lines"]),
        (
            [HEAD, ENGINE, OWN, END, "", "During handling:", "", HEAD, LIBRARY, OWN, END],
            [HEAD, OWN, END, "", "During handling:", "", HEAD, OWN, END],
        ),
        # Nothing to leave out, or nothing left.
        ([HEAD, OWN, END], None),
        ([HEAD, ENGINE, LIBRARY, END], None),
        (["no traceback"], None),
        ([], None),
    ],
)
def test_frames_of_libraries_and_of_the_engine_are_left_out(lines, kept):
    assert own_frames("\n".join(lines)) == ("\n".join(kept) if kept else "")
