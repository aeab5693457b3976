"""Charts as SVG: columns over time, bars, and ranges of percentiles. Our own drawing, without a script.

Rules
- A chart is drawn for one width in CSS pixels, so that its letters keep their size; a page that is read at several
  widths draws it for each.
- Nothing overlaps and nothing is cut off: a bar's name and number stand on a line above it, names too long for
  theirs end in an ellipsis (the whole name is the tooltip), and an axis has only as many ticks as fit.
- An axis says its unit. Values are not negative.
- Colours are classes (`s1` … `s4`), so the page's style sheet decides on them. All text is escaped.

A core: values in, text out.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

FONT: Final = 13
_LINE: Final = 18
_BAR: Final = 14
_GAP: Final = 12
_AXIS: Final = 40
_NARROW: Final = "iIjlrtf.,:;'|!()[]·- "
_WIDE: Final = "mwMWOQ%@&<>=+#~—…"


class Bar(NamedTuple):
    """A named bar: its pieces from left to right, and the number as text."""

    name: str
    values: Sequence[float]
    number: str


class Range(NamedTuple):
    """A named row of percentiles, rising, and them as text."""

    name: str
    percentiles: tuple[float, float, float]
    number: str


def columns(
    begins: Sequence[datetime], values: Sequence[float], *, seconds: int, unit: str, title: str, width: int
) -> str:
    """A column for each span of time of equal length `seconds`; `unit` is that of the upright axis."""
    top, height = 26, 150
    ticks = _ticks(max(values, default=0), 4)
    numbers = [_number(tick) for tick in ticks]
    left = max(44, *map(text_width, numbers)) + 10
    plot = width - left - 8
    bottom = top + height
    parts = [_text(0, FONT, unit, "unit")]
    for tick, number in zip(ticks, numbers, strict=True):
        y = bottom - height * tick / ticks[-1]
        parts += [_line(left, y, width, y, "grid" if tick else "axis"), _text(left - 8, y + 4, number, "tick", "end")]
    step = plot / max(len(values), 1)
    bar = max(step - (2 if step > 6 else 0.5), 0.5)
    for i, value in enumerate(values):
        parts.append(_rect(left + i * step, bottom, bar, height * value / ticks[-1], "s1", rising=True))
    free = 0.0
    for i, label in enumerate(_time_labels(begins, seconds)):
        x = left + i * step
        if label and free <= x <= width - text_width(label):
            parts += [_line(x, bottom, x, bottom + 5, "axis"), _text(x, bottom + 19, label, "tick")]
            free = x + text_width(label) + 16
    parts.append(_text(left, bottom + 37, f"UTC; a column is {span_name(seconds)}", "unit"))
    return _svg(width, bottom + 44, title, parts)


def bars(rows: Sequence[Bar], *, unit: str, title: str, width: int) -> str:
    """Bars from left to right, each of one or several pieces; `unit` is that of the level axis."""
    return _rows(
        [(row.name, row.number) for row in rows],
        max((sum(row.values) for row in rows), default=0),
        lambda i, y, scale: _pieces(rows[i].values, y, scale),
        unit=unit,
        title=title,
        width=width,
    )


def ranges(rows: Sequence[Range], *, unit: str, title: str, width: int) -> str:
    """For each row a line from its first to its last percentile: a disc, a ring and a stroke mark the three."""
    return _rows(
        [(row.name, row.number) for row in rows],
        max((row.percentiles[-1] for row in rows), default=0),
        lambda i, y, scale: _marks(rows[i].percentiles, y, scale),
        unit=unit,
        title=title,
        width=width,
    )


def text_width(text: str) -> float:
    """About how wide a text is in CSS pixels; rather too much than too little."""
    return sum(map(_char_width, text))


def shortened(text: str, room: float) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if text_width(text) <= room:
        return text
    kept = 0
    used = text_width("…")
    while kept < len(text) and used + _char_width(text[kept]) <= room:
        used += _char_width(text[kept])
        kept += 1
    return text[:kept].rstrip() + "…"


def span_name(seconds: int) -> str:
    """A length of time in words: "10 minutes"."""
    for size, name in ((604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            count = seconds // size
            return f"1 {name}" if count == 1 else f"{count} {name}s"
    raise ValueError(f"{seconds} is no number of seconds")


def _rows(
    heads: Sequence[tuple[str, str]],
    largest: float,
    draw: Callable[[int, float, float], list[str]],
    *,
    unit: str,
    title: str,
    width: int,
) -> str:
    """Rows of a head line and what `draw(row, middle, pixels a unit)` gives, over a common level axis."""
    plot = width - 12
    ticks = _ticks(largest, max(2, plot // 110))
    scale = plot / ticks[-1]
    pitch = _LINE + _BAR + _GAP
    bottom = len(heads) * pitch + 2
    parts = []
    for tick in ticks:
        x = tick * scale
        anchor = "start" if not tick else "end" if tick == ticks[-1] else "middle"
        at = width if tick == ticks[-1] else x
        parts += [
            _line(x, 4, x, bottom, "grid" if tick else "axis"),
            _text(at, bottom + 16, _number(tick), "tick", anchor),
        ]
    for i, (name, number) in enumerate(heads):
        y = i * pitch
        room = width - text_width(number) - 16
        head = shortened(name, room)
        hint = f"<title>{escape(name)}</title>" if head != name else ""
        parts += [
            _backdrop(y, width),
            _text(0, y + FONT, head, "name", hint=hint),
            _text(width, y + FONT, number, "number", "end"),
            *draw(i, y + _LINE + _BAR / 2, scale),
        ]
    parts.append(_text(0, bottom + 34, unit, "unit"))
    return _svg(width, bottom + _AXIS, title, parts)


def _pieces(values: Sequence[float], y: float, scale: float) -> list[str]:
    parts, x = [], 0.0
    for i, value in enumerate(values):
        long = value * scale
        if value > 0:
            parts.append(_rect(x, y - _BAR / 2, max(long - (1 if i + 1 < len(values) else 0), 0.75), _BAR, f"s{i + 1}"))
        x += long
    return parts


def _marks(percentiles: tuple[float, float, float], y: float, scale: float) -> list[str]:
    low, middle, high = (value * scale for value in percentiles)
    return [
        _line(low, y, high, y, "range"),
        _line(high, y - 6, high, y + 6, "stroke"),
        f'<circle cx="{max(middle, 5):.1f}" cy="{y:.1f}" r="4.5" class="ring"/>',
        f'<circle cx="{max(low, 5):.1f}" cy="{y:.1f}" r="4.5" class="disc"/>',
    ]


def _ticks(largest: float, most: int) -> list[float]:
    """Round numbers from 0 to the first that is not below `largest`, about `most` of them after 0."""
    largest = largest if largest > 1e-9 else 1
    power = 10.0 ** math.floor(math.log10(largest / most))
    step = next(s * power for s in (1, 2, 5, 10, 20) if s * power * most >= largest * 0.999999)
    if largest >= 1:
        step = max(step, 1)
    count = max(1, math.ceil(largest / step - 1e-9))
    return [round(i * step, 12) for i in range(count + 1)]


def _time_labels(begins: Sequence[datetime], seconds: int) -> list[str]:
    """What could be said under each column; over days, only the first of a day has its date."""
    if begins and begins[-1] - begins[0] > timedelta(days=2):
        days = [f"{moment.day} {moment:%b}" for moment in begins]
        return [day if day != before else "" for day, before in zip(days, ["", *days[:-1]], strict=True)]
    return [f"{moment:%H:%M:%S}" if seconds < 60 else f"{moment:%H:%M}" for moment in begins]


def _number(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _char_width(char: str) -> float:
    """By the widest of the usual system fonts."""
    if unicodedata.combining(char):
        return 0
    if char in _NARROW:
        return FONT * 0.45
    if char in _WIDE or unicodedata.east_asian_width(char) in "WF":
        return FONT * 1.05
    return FONT * (0.86 if char.isupper() or not char.isascii() else 0.65)


def _svg(width: int, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}"'
        f' height="{height:.0f}" role="img" aria-label={quoteattr(title)}>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start", hint: str = "") -> str:
    aligned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{aligned}>{hint}{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _rect(x: float, y: float, width: float, height: float, kind: str, *, rising: bool = False) -> str:
    top = y - height if rising else y
    return f'<rect x="{x:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}" class="{kind}"/>'


def _backdrop(y: float, width: int) -> str:
    """Keeps the axis' lines out from behind a row's head."""
    return f'<rect x="0" y="{y:.1f}" width="{width}" height="{_LINE}" class="paper"/>'
