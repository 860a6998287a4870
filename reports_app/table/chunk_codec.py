"""Chunks as bytes for the database: msgpack around columns packed to the few bytes that their values need.

Numbers are rounded to the decimals of their kind (as every format shows them) and kept as whole numbers less the
smallest of the chunk, in 1, 2, 4 or 8 bytes; so are times and codes. This is frame-of-reference coding (Goldstein et al.,
"Compressing Relations and Indexes", ICDE 1998): a million positions of twelve columns take some 25 MB, at the speed of a
memory copy. A number too large for that is kept as the eight bytes of a float.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from reports_app.table.chunks import NO_TIME, Chunk, Coded, ColumnData
from reports_app.table.columns import DECIMALS, TIME_KINDS, Column, ColumnKind

_EXACT = 2.0**53  # whole numbers up to this are exact in a float64
_STEPS = (1_000_000, 1_000, 1)  # times are often whole seconds or milliseconds
_DTYPES = ("<u1", "<u2", "<u4", "<u8")


class _Packed(msgspec.Struct, array_like=True, tag="ints"):
    """A column packed as `base + step * n` for each n of `data`; the largest value of the dtype is an empty cell."""

    base: int
    step: int
    dtype: str
    data: bytes


class _Floats(msgspec.Struct, array_like=True, tag="floats"):
    data: bytes


class _Codes(msgspec.Struct, array_like=True, tag="codes"):
    codes: _Packed
    values: list[str]


class _Texts(msgspec.Struct, array_like=True, tag="texts"):
    values: list[str | None]


_Part = _Packed | _Floats | _Codes | _Texts
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Part])


def encode_chunk(columns: Sequence[Column], chunk: Chunk) -> bytes:
    """Return the chunk as bytes. Numbers are rounded to the decimals of their kind."""
    return _encoder.encode([_pack(column.kind, data) for column, data in zip(columns, chunk.data, strict=True)])


def decode_chunk(columns: Sequence[Column], row_count: int, content: bytes | memoryview) -> Chunk:
    """Return the chunk of bytes made by `encode_chunk`. Raises msgspec.ValidationError for other bytes."""
    parts = _decoder.decode(content)
    return Chunk(row_count, [_unpack(column.kind, part) for column, part in zip(columns, parts, strict=True)])


def _pack(kind: ColumnKind, data: Any) -> _Part:
    if isinstance(data, Coded):
        return _Codes(_pack_whole(data.codes.astype(np.int64), data.codes < 0), list(data.values))
    if kind is ColumnKind.TEXT:
        return _Texts(list(data))
    if kind in TIME_KINDS:
        return _pack_whole(data, data == NO_TIME)
    scaled = np.rint(data * 10.0 ** DECIMALS[kind])
    if not (np.abs(scaled[~np.isnan(scaled)]) < _EXACT).all():
        return _Floats(data.astype("<f8").tobytes())
    empty = np.isnan(scaled)
    return _pack_whole(np.where(empty, 0.0, scaled).astype(np.int64), empty)


def _pack_whole(values: npt.NDArray[np.int64], empty: npt.NDArray[np.bool_]) -> _Packed:
    known = values[~empty] if empty.any() else values
    base, top = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    step = next(step for step in _STEPS if base % step == 0 and not (known % step).any()) if top > 1_000_000 else 1
    dtype = next(dtype for dtype in _DTYPES if (top - base) // step < np.iinfo(dtype).max)
    offsets = ((values - base) // step).astype(dtype)
    offsets[empty] = np.iinfo(dtype).max
    return _Packed(base, step, dtype, offsets.tobytes())


def _unpack(kind: ColumnKind, part: _Part) -> ColumnData:
    match part:
        case _Texts():
            return part.values
        case _Floats():
            return np.frombuffer(part.data, dtype="<f8")
        case _Codes():
            return Coded(_unpack_whole(part.codes, empty=-1), part.values)
    if kind in TIME_KINDS:
        return _unpack_whole(part, empty=NO_TIME)
    offsets = np.frombuffer(part.data, dtype=part.dtype)
    numbers = (offsets.astype(np.int64) * part.step + part.base) / 10.0 ** DECIMALS[kind]
    numbers[offsets == np.iinfo(part.dtype).max] = np.nan
    return numbers


def _unpack_whole(part: _Packed, *, empty: int) -> npt.NDArray[np.int64]:
    offsets = np.frombuffer(part.data, dtype=part.dtype)
    values = offsets.astype(np.int64) * part.step + part.base
    values[offsets == np.iinfo(part.dtype).max] = empty
    return values
