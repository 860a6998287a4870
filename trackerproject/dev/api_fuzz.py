"""Requests of every operation of the API, made from its schema by schemathesis, and what is wrong with the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# An answer is one that the schema describes; 500 is described nowhere, 503 where it means "later".
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(slots=True)
class Outcome:
    """Numbers of a run. `failures` begin with the operation."""

    operations: int = 0
    requests: int = 0
    failures: list[str] = field(default_factory=list)


def operations() -> Iterator[Any]:
    """Yield every operation of the schema."""
    raw = SchemaGenerator().get_schema(request=None, public=True)
    for found in schemathesis.openapi.from_dict(raw).get_all_operations():
        yield found.ok()  # type: ignore[union-attr]


def fuzz(
    send: Callable[[Case], Any], *, examples: int, known: Mapping[str, Any], left_out: frozenset[str] = frozenset()
) -> Outcome:
    """Send so many requests of each operation, right and wrong ones; `known` are path parameters of rows that there are."""
    outcome = Outcome()
    for operation in operations():
        if operation.label not in left_out:
            outcome.operations += 1
            _try_operation(operation, send, examples, known, outcome)
    return outcome


def _try_operation(
    operation: Any, send: Callable[[Case], Any], examples: int, known: Mapping[str, Any], outcome: Outcome
) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_cases(operation), is_known=st.booleans())
    def attempt(case: Case, is_known: bool) -> None:
        if is_known:
            # A UUID is a text in a path, as every value of JSON.
            found = {name: _as_json(known[name]) for name in case.path_parameters or {} if name in known}
            case.path_parameters = {**(case.path_parameters or {}), **found}
        outcome.requests += 1
        # Of a row of which only some fields are asked for, the schema requires others.
        is_sparse = "fields" in (case.query or {})
        left_out = [response_schema_conformance] if is_sparse else []
        case.validate_response(send(case), checks=[check for check in CHECKS if check not in left_out])

    try:
        attempt()
    except (FailureGroup, BaseExceptionGroup) as error:
        outcome.failures.append(f"{operation.label}: {error}")


def _as_json(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _cases(operation: Any) -> st.SearchStrategy[Case]:
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    try:
        wrong.validate()
    except InvalidArgument:
        return right
    return right | wrong
