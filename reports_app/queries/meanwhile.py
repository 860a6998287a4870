"""Views of reports that retention deletes while they are read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from reports_app.exceptions import InvalidReport

P = ParamSpec("P")


def read_again(view: Callable[P, Any]) -> Callable[P, Any]:
    """Call a view that only reads once more if the content went away under it: it then finds the report expired or gone."""

    @wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return view(*args, **kwargs)
        except InvalidReport:
            return view(*args, **kwargs)

    return call
