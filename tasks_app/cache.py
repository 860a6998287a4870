"""How values are written to the cache: JSON, never pickle."""

from __future__ import annotations

from typing import Any

import msgspec


class JSONSerializer:
    """Serializer for Django's Redis cache backend; integers stay plain so that `cache.incr` works."""

    def dumps(self, obj: Any) -> bytes | int:
        if type(obj) is int:
            return obj
        return msgspec.json.encode(obj)

    def loads(self, data: bytes) -> Any:
        return msgspec.json.decode(data)
