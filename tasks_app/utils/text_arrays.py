"""Many texts as one parameter of a statement."""

from __future__ import annotations

from collections.abc import Iterable


def text_array(texts: Iterable[str]) -> str:
    """Return an array as PostgreSQL reads it from text, for `ANY(%s::text[])`.

    That takes it a third of the time of psycopg2's `ARRAY['...', ...]`, each member of which is an expression. Format: section
    8.15.6, "Array Input and Output Syntax", of PostgreSQL's manual.
    """
    return "{" + ",".join(map(_quoted, texts)) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
