"""Arguments of tasks: what they mean beside their type, relative times in them, and what is wrong with a call."""

from tasks_app.services.arguments.checking import call_problems, check_calls_by, named_problem
from tasks_app.services.arguments.relative import resolve_times
from tasks_app.services.arguments.rules import LocalDay, OneOf, RangeTime, Reference, rule_of

__all__ = [
    "LocalDay",
    "OneOf",
    "RangeTime",
    "Reference",
    "call_problems",
    "check_calls_by",
    "named_problem",
    "resolve_times",
    "rule_of",
]
