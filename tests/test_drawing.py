"""Charts: nothing overlaps, nothing is cut off, whatever is drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.drawing import FONT, Bar, Range, bars, columns, ranges, shortened, span_name, text_width
from analytics.page import WIDTHS

SVG = "{http://www.w3.org/2000/svg}"
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)
widths = st.sampled_from(sorted(WIDTHS.values()))
values = st.floats(0, 1e9, allow_subnormal=False) | st.integers(0, 10**12)


def boxes(svg: ET.Element) -> list[tuple[float, float, float, float]]:
    """Left, right, top and bottom of each text, as wide as we take it to be."""
    found = []
    for text in svg.iter(f"{SVG}text"):
        said = "".join(part for part in text.itertext())
        title = text.find(f"{SVG}title")
        if title is not None:
            said = said.removeprefix(title.text or "")
        x, y, long = float(text.attrib["x"]), float(text.attrib["y"]), text_width(said)
        left = {"start": x, "middle": x - long / 2, "end": x - long}[text.get("text-anchor", "start")]
        found.append((left, left + long, y - FONT + 3, y + 3))
    return found


def check(drawn: str, width: int) -> ET.Element:
    """The chart, parsed; nothing leaves it, and no text lies over another."""
    svg = ET.fromstring(drawn)
    height = float(svg.attrib["height"])
    assert svg.attrib["viewBox"] == f"0 0 {width} {svg.attrib['height']}"
    placed = boxes(svg)
    for left, right, top, bottom in placed:
        assert left >= -1
        assert right <= width + 1
        assert top >= -1
        assert bottom <= height
    for i, one in enumerate(placed):
        for other in placed[i + 1 :]:
            apart = one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
            assert apart, (one, other)
    for shape in svg.iter(f"{SVG}rect"):
        assert float(shape.attrib["width"]) >= 0
        assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= width + 1
        assert float(shape.attrib["y"]) >= 0
        assert float(shape.attrib["y"]) + float(shape.attrib["height"]) <= height
    return svg


@given(st.lists(st.tuples(NAMES, st.lists(values, min_size=1, max_size=4)), min_size=1, max_size=12), widths)
def test_bars_of_any_names_and_values_fit(rows: list[tuple[str, list[float]]], width: int) -> None:
    drawn = bars([Bar(name, each, f"{sum(each):,.1f}") for name, each in rows], unit="tokens", title="t", width=width)
    svg = check(drawn, width)
    assert "tokens" in [text.text for text in svg.iter(f"{SVG}text")]


@given(st.lists(st.tuples(NAMES, st.tuples(values, values, values)), min_size=1, max_size=5), widths)
def test_ranges_of_any_percentiles_fit(rows: list[tuple[str, tuple[float, float, float]]], width: int) -> None:
    drawn = []
    for name, each in rows:
        low, middle, high = sorted(each)
        drawn.append(Range(name, (low, middle, high), "1 ms · 2 ms · 3 ms"))
    check(ranges(drawn, unit="milliseconds", title="t", width=width), width)


@given(
    st.lists(values, min_size=1, max_size=61),
    st.sampled_from([1, 5, 30, 60, 600, 3600, 10_800, 86_400, 604_800]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    widths,
)
def test_columns_over_any_time_fit(counts: list[float], seconds: int, begin: datetime, width: int) -> None:
    begins = [begin.replace(tzinfo=UTC) + timedelta(seconds=i * seconds) for i in range(len(counts))]
    svg = check(columns(begins, counts, seconds=seconds, unit="messages", title="t", width=width), width)
    said = [text.text for text in svg.iter(f"{SVG}text")]
    assert "messages" in said
    assert any("UTC" in str(text) for text in said)


def test_bars_are_in_proportion() -> None:
    svg = ET.fromstring(bars([Bar("a", (30, 10), "40"), Bar("b", (20, 0), "20")], unit="n", title="t", width=412))
    drawn = [r for r in svg.iter(f"{SVG}rect") if r.attrib["class"].startswith("s")]
    assert [r.attrib["class"] for r in drawn] == ["s1", "s2", "s1"]
    assert [float(r.attrib["width"]) for r in drawn] == [299, 100, 199]
    assert [float(r.attrib["x"]) for r in drawn] == [0, 300, 0]


def test_axes_end_at_a_round_number_that_holds_the_largest() -> None:
    for largest in (0, 0.0003, 0.7, 1, 3, 99, 100, 101, 12_345, 9_999_999):
        svg = ET.fromstring(bars([Bar("a", (largest,), "")], unit="n", title="t", width=1060))
        ticks = [t for t in svg.iter(f"{SVG}text") if t.attrib["class"] == "tick"]
        numbers = [_plain(t.text) for t in ticks]
        assert numbers[0] == 0
        assert numbers[-1] >= largest
        assert all(a < b for a, b in pairwise(numbers))


def _plain(text: str | None) -> float:
    number = str(text).replace(",", "")
    return float(number.removesuffix(" M")) * (1_000_000 if number.endswith(" M") else 1)


def test_names_are_escaped_and_cut_with_their_whole_as_a_tooltip() -> None:
    long = "<script>alert('&')</script>" * 9
    svg = ET.fromstring(bars([Bar(long, (1,), "1")], unit="n", title='"quoted" & <all>', width=360))
    (title,) = svg.iter(f"{SVG}title")
    assert title.text == long
    assert svg.attrib["aria-label"] == '"quoted" & <all>'


@given(NAMES, st.floats(0, 500))
def test_a_shortened_text_fits_and_is_a_beginning(text: str, room: float) -> None:
    cut = shortened(text, room)
    if cut != text:
        assert text.startswith(cut.removesuffix("…"))
        assert text_width(cut) <= max(room, text_width("…"))


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (1, "1 second"),
        (30, "30 seconds"),
        (600, "10 minutes"),
        (10_800, "3 hours"),
        (86_400, "1 day"),
        (604_800, "1 week"),
    ],
)
def test_spans_have_names(seconds: int, name: str) -> None:
    assert span_name(seconds) == name


def test_no_value_gives_a_chart_all_the_same() -> None:
    nothing: list[Any] = []
    ET.fromstring(columns(nothing, nothing, seconds=60, unit="n", title="t", width=360))
    ET.fromstring(bars(nothing, unit="n", title="t", width=360))
