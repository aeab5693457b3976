"""The report: whole, self-contained, escaped, and its numbers those of the queries."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import quoteattr

import duckdb
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings

from analytics import interruptions, latency, moderation, traffic, usage
from analytics.frames import Scope
from analytics.report import report
from connectors.errors import InputError
from connectors.metrics import FindingRow, Row
from tests.analytics_data import DAY_2, at, by_hand, filled, in_memory, landed, message, random_rows, turn
from tokenweir import main

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAME = "{http://www.w3.org/1999/xhtml}"
SECTIONS = ["traffic", "latency", "usage", "moderation", "interruptions", "sessions"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return landed(tmp_path_factory.mktemp("metrics"), by_hand())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names that are long, wide, or mark-up, and many of them."""
    rows: list[Row] = []
    names = [
        "<script>alert(1)</script>",
        "a name & more " * 12,
        "東京カスタマーサポート株式会社" * 5,
        "x" * 128,
        '"',
        None,
    ]
    for number, name in enumerate(names * 9):
        of = turn(
            f"s-{'9' * 100}-{number}", 0, at(DAY_2, "10:00:00") + number * 7_000_000_000, tenant=name,
            model=f"model-{number % 11}-{name}", duration_ms=1000 + number * 3700, interruptions=number % 3,
            error_kind="disconnected" if number % 3 else None, moderation_blocks=1,
        )  # fmt: skip
        rows += [of, message(of, 0, 500 + number * 333, findings=1)]
        rows.append(FindingRow(of.session_id, 0, 0, of.started_at, str(name), "rule & <b>", "redact", 0, 9))
    return landed(tmp_path_factory.mktemp("hostile"), rows)


def parse(page: str) -> ET.Element:
    return ET.fromstring(page)


def tables(page: str) -> dict[str, list[list[str]]]:
    """Caption to rows of cells."""
    found = {}
    for table in parse(page).iter(f"{NAME}table"):
        caption = table.findtext(f"{NAME}caption") or ""
        body = table.find(f"{NAME}tbody")
        assert body is not None
        found[caption] = [["".join(cell.itertext()) for cell in row] for row in body]
    return found


def test_it_has_all_sections_each_with_a_chart_and_a_table(directory: Path) -> None:
    root = parse(report(directory, now=NOW))
    (body,) = root.iter(f"{NAME}main")
    names = [heading.attrib["id"] for heading in body.iter(f"{NAME}h2")]
    assert names == SECTIONS
    kinds = [child.tag.removeprefix(NAME) for child in body]
    parts = " ".join(kinds).split("h2")[1:]
    assert all("figure" in part and "table" in part for part in parts)


def test_it_refers_to_nothing_outside_itself(hostile: Path) -> None:
    page = report(hostile, now=NOW)
    root = parse(page)
    tags = {element.tag.partition("}")[2] for element in root.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "use", "a"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name in ("href", "src", "style")]
    assert not re.findall(r"url\(|@import|https?://(?!www\.w3\.org/)", page)


def test_its_numbers_are_those_of_the_queries(directory: Path) -> None:
    shown = tables(report(directory, now=NOW))
    scope = Scope(until=NOW)
    assert shown["Time from opening"] == [
        ["First token", "3", "200.0", "380.0", "396.0"],
        ["First sentence", "4", "550.0", "4,340.0", "4,868.0"],
        ["On the desktop", "2", "570.0", "606.0", "609.2"],
    ]
    assert [row[5] for row in shown["Parts of the time to the first sentence"]] == [
        f"{ms:,.1f}" for ms in latency.shares(directory, scope)["p99_ms"]
    ]
    assert [row[-2:] for row in shown["By tenant, vendor and model"]] == [
        ["0.0140", "USD"],
        ["0.0000", "EUR"],
        ["–", "–"],
    ]
    assert len(shown["Sessions"]) == traffic.longest_sessions(directory, scope).height
    ended = interruptions.by_kind(directory, scope)
    assert [int(row[3]) for row in shown["How they ended"]] == ended["interruptions"].to_list()
    assert ["rate_limited", "429", "timeout", "1", "1", "0", "1"] in shown["How they ended"]
    assert ["status", "503", "still open", "1", "0", "0", "1"] in shown["How they ended"]
    assert [int(row[3]) for row in shown["Rules"]] == moderation.top_rules(directory, scope)["findings"].to_list()
    assert [row[-1] for row in shown["Messages saved against one message a token"]] == ["95.0%", "90.0%", "–"]


def test_a_window_and_a_tenant_narrow_it(directory: Path) -> None:
    page = report(directory, Scope(tenant="acme", until=datetime(2026, 11, 20, 11)), now=NOW)
    assert "Tenant acme; from the beginning to 2026-11-20 11:00:00" in page
    shown = tables(page)
    assert [row[2] for row in shown["By tenant, vendor and model"]] == ["gpt-4"]
    assert "cognigy" not in page


def test_nothing_after_now_is_in_it(directory: Path) -> None:
    before_b = datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert tables(report(directory, now=before_b))["By vendor"] == [["cxone", "1", "2", "36", "100"]]


def test_what_was_not_measured_is_said_and_not_drawn(tmp_path: Path) -> None:
    quiet = turn("s", 0, at(DAY_2, "10:00:00"), model=None, prompt_tokens=None, completion_tokens=None)
    page = report(landed(tmp_path, [quiet]), now=NOW)
    for sentence in (
        "No turn used a token.",
        "No model has a price.",
        "Moderation found nothing.",
        "No turn was interrupted.",
    ):
        assert sentence in page
    titles = [element.text for element in parse(page).iter(f"{NAME}figcaption")]
    assert not [title for title in titles if "Findings" in str(title) or "Cost" in str(title)]


def test_a_scope_without_turns_is_an_error_with_its_remedy(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="longer time"):
        report(directory, Scope(since=NOW), now=NOW)
    with pytest.raises(InputError, match="run a job"):
        report(tmp_path, now=NOW)


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with in_memory() as connection:
        yield connection


@settings(max_examples=25, deadline=None)
@given(random_rows())
def test_any_rows_give_a_page(memory: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    with filled(memory, rows):
        if usage.totals(memory)["turns"][0]:
            page = report(memory, now=NOW)
            assert [heading.attrib["id"] for heading in parse(page).iter(f"{NAME}h2")] == SECTIONS


# ---- the command


def write(directory: Path, *args: str | Path) -> Result:
    return CliRunner(env={"TOKENWEIR_DATA_DIR": str(directory)}).invoke(main, ["report", *map(str, args)])


def test_the_command_writes_the_file_and_says_where(directory: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    result = write(directory, "-o", path, "--since", "2026-11-20", "--until", "2026-11-20T11:30")
    assert (result.exit_code, result.stdout) == (0, f"wrote {path}\n")
    assert "from 2026-11-20 00:00:00 to 2026-11-20 11:30:00" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--since", "yesterday"], "'yesterday'"),
        (["--tenant", "nobody"], "all tenants"),
        (["-o", "/nowhere/r.html"], "/nowhere/r.html"),
    ],
)
def test_the_command_s_mistakes_are_one_line(directory: Path, args: list[str], says: str) -> None:
    result = write(directory, *args)
    assert result.exit_code == 7
    assert says in result.stderr
    assert "Traceback" not in result.output


# ---- in a browser

LOOK = """
<script>
const faults = [];
const shown = element => element.getClientRects().length > 0;
const begin = element => element.textContent.slice(0, 40);
for (const element of document.querySelectorAll('h1, h2, p, dd, dt, td > span, th, caption, figcaption, li')) {
  const box = element.getBoundingClientRect();
  if (shown(element) && (box.left < 0 || box.right > innerWidth + 1)) faults.push('off the page: ' + begin(element));
}
for (const svg of [...document.querySelectorAll('svg')].filter(shown)) {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(text => [text, text.getBoundingClientRect()]);
  for (const [one, a] of texts) {
    if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.bottom > frame.bottom + 1)
      faults.push('cut off: ' + begin(one));
    for (const [other, b] of texts) {
      const apart = a.right - 1 <= b.left || b.right - 1 <= a.left || a.bottom - 4 <= b.top || b.bottom - 4 <= a.top;
      if (one !== other && !apart) faults.push('over another: ' + begin(one) + ' / ' + begin(other));
    }
  }
}
if (document.documentElement.scrollWidth > innerWidth + 1) faults.push('wider than the window');
const charts = [...document.querySelectorAll('svg')].filter(shown).length;
parent.document.title = JSON.stringify({width: innerWidth, charts, faults});
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1280, 800, 700, 420])
@pytest.mark.parametrize("which", ["directory", "hostile"])
def test_in_a_browser_nothing_overlaps_or_is_cut_off(
    which: str, width: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = report(request.getfixturevalue(which), now=NOW + timedelta(days=9))
    path = tmp_path / "r.html"
    looked_at = quoteattr(page.replace("</body>", f"{LOOK}</body>"))
    frame = f'<iframe width="{width}" height="9000" style="border:0" srcdoc={looked_at}></iframe>'
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8"><title></title>{frame}', encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'chromium'}"]
    command = [str(CHROMIUM), *flags, "--dump-dom", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    title = re.search("<title>(.*?)</title>", dom)
    assert title is not None
    seen = json.loads(html.unescape(title[1]))
    assert (seen["width"], seen["faults"]) == (width, [])
    assert seen["charts"] >= len(SECTIONS)
