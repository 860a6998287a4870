"""Parameters of the OsmAnd protocol, as they are read and refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.osmand import parse_parameters

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
QUERY = "id=48241179&lat=-23.55&lon=-46.63"


def read(query: str, **options):
    return parse_parameters(parse_qs(query, keep_blank_values=True), now=NOW, **options)


def fix_of(query: str, **options) -> Fix:
    content = read(query, **options).content
    assert isinstance(content, Fix), content
    return content


def refusal_of(message) -> str:
    assert isinstance(message.content, RejectedFix), message
    assert message.content.detail
    return message.content.code


def is_sound(message) -> bool:
    content = message.content
    if isinstance(content, Fix):
        assert -90 <= content.latitude <= 90
        assert -180 <= content.longitude <= 180
        assert content.speed_kph is None or 0 <= content.speed_kph <= 1000
        assert content.fix_time.utcoffset() == timedelta(0)
        json.dumps(content.attributes, allow_nan=False)
    return content is None or isinstance(content, Fix | RejectedFix)
