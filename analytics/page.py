"""The pieces of a page of ours: headings, tiles, figures with a drawing for each width, and tables.

Rules
- What comes out is XML as well as HTML and refers to nothing outside itself. All text is escaped.
- A null is a dash. Numbers are aligned to the right, and written by the functions below and nowhere else.
- Where a screen is too narrow for a table, the style sheet shows its rows one below the other; so cells say their
  heading.

A core: values in, text out (but for the style sheet beside it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import polars as pl

WIDTHS: Final = {"narrow": 360, "middle": 640, "wide": 1060}
"""Class to width in CSS pixels: a chart is drawn for each, and the style sheet shows the one that fits."""

MAX_ROWS: Final = 30
"""Rows of a table; a query has them all."""

_STYLE: Final = Path(__file__).with_name("report.css")


class Column(NamedTuple):
    """A table's column: its name in the frame, its heading, and how its values are written."""

    name: str
    heading: str
    write: Callable[[Any], str] = str


class Tile(NamedTuple):
    """A number that stands out: what it is, the number, and what else to say of it."""

    name: str
    number: str
    more: str


def page(title: str, lead: str, parts: Sequence[str]) -> str:
    """The whole document."""
    style = _STYLE.read_text(encoding="utf-8")
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1><p class="soft">{escape(lead)}</p></header>\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def heading(name: str, title: str, lead: str) -> str:
    """Begins a section; `name` is its anchor."""
    return f'<h2 id="{name}">{escape(title)}</h2><p class="soft">{escape(lead)}</p>'


def sentence(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def tiles(each: Sequence[Tile]) -> str:
    cells = (
        f"<div><dt>{escape(tile.name)}</dt><dd>{escape(tile.number)}<small>{escape(tile.more)}</small></dd></div>"
        for tile in each
    )
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def figure(title: str, draw: Callable[[int], str], *, legend: Sequence[str] = ()) -> str:
    """A chart; `draw` is called with each width, `legend` names its series in order."""
    items = "".join(f'<li><i class="s{i}"></i>{escape(name)}</li>' for i, name in enumerate(legend, 1))
    listed = f'<ul class="legend">{items}</ul>' if items else ""
    drawings = "".join(f'<div class="{name}">{draw(width)}</div>' for name, width in WIDTHS.items())
    return f"<figure><figcaption>{escape(title)}</figcaption>{listed}{drawings}</figure>"


def table(caption: str, frame: pl.DataFrame, columns: Sequence[Column]) -> str:
    """A frame's first MAX_ROWS rows in its order, and how many there are; nothing at all where there are none."""
    if frame.is_empty():
        return ""
    if frame.height > MAX_ROWS:
        caption = f"{caption} (the first {MAX_ROWS} of {frame.height})"
    classes = {str: "", moment: ' class="t"'}
    kinds = [classes.get(column.write, ' class="n"') for column in columns]
    shown = list(zip(columns, kinds, strict=True))
    head = "".join(f"<th{kind}>{escape(column.heading)}</th>" for column, kind in shown)
    rows = []
    for row in frame.head(MAX_ROWS).iter_rows(named=True):
        cells = (
            f"<td{kind} data-label={quoteattr(column.heading)}><span>{escape(written(row[column.name], column.write))}"
            "</span></td>"
            for column, kind in shown
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def written(value: Any, write: Callable[[Any], str]) -> str:
    return "–" if value is None else write(value)


def count(value: float) -> str:
    return f"{value:,}"


def share(value: float) -> str:
    return f"{value:.1%}"


def decimal(value: float) -> str:
    return f"{value:,.1f}"


def wait(ms: float) -> str:
    """A duration with its unit."""
    return f"{ms:,.0f} ms" if ms < 10_000 else f"{ms / 1000:,.1f} s"


def money(value: Decimal) -> str:
    return f"{value:,.2f}" if value >= 100 else f"{value:,.4f}"


def moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"
