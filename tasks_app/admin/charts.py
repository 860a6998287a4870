"""Charts of figures per minute or hour as inline SVG, drawn on the server: no script, no other host."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HEIGHT = 40
BAR, GAP = 4, 1


def bars_svg(values: Sequence[int], *, label: str, bad: Sequence[int] = (), titles: Sequence[str] = ()) -> SafeString:
    """Draw one bar for each value; `bad` is the part of it that failed, `label` says in words what is drawn.

    Bars stretch with the space they get. `titles` are shown over the bars.
    """
    bad = bad or [0] * len(values)
    top = max([*values, *bad, 1])
    width = len(values) * (BAR + GAP) - GAP
    rows = []
    for index, (value, failed) in enumerate(zip(values, bad, strict=True)):
        title = titles[index] if titles else ""
        rows.append(_bar(index, value, top, "", title))
        if failed:
            rows.append(_bar(index, failed, top, "is-bad", title))
    return format_html(
        '<svg class="tk-spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        width,
        HEIGHT,
        label,
        format_html_join("", "{}", ((row,) for row in rows)),
    )


def _bar(index: int, value: int, top: int, kind: str, title: str) -> SafeString:
    # Few are seen, too: no bar of something is flatter than this.
    height = max(3.0, round(value / top * HEIGHT, 1)) if value else 0.0
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        kind,
        index * (BAR + GAP),
        round(HEIGHT - height, 1),
        BAR,
        height,
        title,
    )
