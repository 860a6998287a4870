"""The part of a job's row that says what it has to do with other jobs: without secrets, as its arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from tasks_app.engine.flows import Composite, Flow, Step
from tasks_app.engine.payload import Payload
from tasks_app.engine.redaction import redact_call
from tasks_app.engine.registry import parameter_names


class Links(NamedTuple):
    """The columns of a row that say what its job has to do with others."""

    parent_id: str | None = None
    member_index: int | None = None
    flow: dict[str, Any] | None = None
    label: str = ""


NO_LINKS = Links()


def links_to_keep(payload: Payload | None) -> Links:
    """Return parent, number in the group, group and callbacks, and label of a job, as its row has them."""
    if payload is None or payload.flow is None:
        return NO_LINKS
    flow = payload.flow
    kept = None
    if flow.composite or flow.on_success or flow.on_error or flow.on_end:
        kept = msgspec.json.decode(msgspec.json.encode(_redacted_flow(flow)))
    return Links(flow.parent_id or None, payload.member_index, kept, "" if flow.composite else flow.label)


def _redacted_flow(flow: Flow) -> Flow:
    return Flow(
        on_success=tuple(map(_redacted, flow.on_success)),
        on_error=tuple(map(_redacted, flow.on_error)),
        on_end=tuple(map(_redacted, flow.on_end)),
        composite=flow.composite and _redacted_composite(flow.composite),
    )


def _redacted_composite(composite: Composite) -> Composite:
    return msgspec.structs.replace(composite, steps=tuple(map(_redacted, composite.steps)))


def _redacted(step: Step) -> Step:
    args, kwargs = msgspec.json.decode(step.call)
    call = redact_call(parameter_names(step.task), args, kwargs)
    return msgspec.structs.replace(
        step,
        call=msgspec.Raw(msgspec.json.encode(call)),
        members=tuple(map(_redacted, step.members)),
        on_success=tuple(map(_redacted, step.on_success)),
        on_error=tuple(map(_redacted, step.on_error)),
        on_end=tuple(map(_redacted, step.on_end)),
    )
