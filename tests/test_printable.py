"""connectors.console.printable: every way of text of others to a terminal goes through it; machines get it exactly."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from connectors.console.printable import printable
from connectors.errors import InputError
from connectors.log.records import CLOSE, FRAME, OPEN, Header, Message, Record
from connectors.log.writer import write_recording
from tests.analytics_data import by_hand, landed
from tokenweir import main
from tokenweir.output import StderrHandler, Terminal, complain
from tokenweir.screen import Screen

HOSTILE = "[bold]a [/x] :smile: \x1b]0;owned\x07b\x9b2Jc\x7fd\u202ee\u2066f"
SHOWN = r"[bold]a [/x] :smile: \x1b]0;owned\x07b\x9b2Jc\x7fd\u202ee\u2066f"
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def obeyed(text: str) -> list[str]:
    """What a terminal would obey and not show."""
    return [
        char
        for char in text
        if (unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t")
        or unicodedata.bidirectional(char) in BIDI
        or char in "\u200e\u200f\u061c"
    ]


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Lu"])))
def test_whatever_the_text_nothing_is_left_to_obey_and_all_else_is_as_it_was(text: str) -> None:
    made = printable(text)
    assert obeyed(made) == []
    assert printable(made) == made
    assert len(printable(text, one_line=True).splitlines()) <= 1
    if not obeyed(text) and "\u2028" not in text and "\u2029" not in text:
        assert made == text


def recording(folder: Path) -> Path:
    """One that says nothing but what is hostile; with a sentence that one of two settings hides."""
    path = folder / "r.jsonl"
    token = json.dumps({"token": f"{HOSTILE}, call 555-0123 {HOSTILE}.", "finished": False})
    end = json.dumps({"token": "", "finished": True})
    request = {"prompt": HOSTILE, "model": HOSTILE, "tenant": HOSTILE}
    records = [
        Record(0, "s-1", 0, OPEN, d=request),
        Record(1, "s-1", 0, FRAME, id=HOSTILE, e="message", d=token),
        Record(2, "s-1", 0, FRAME, d=json.dumps({"token": HOSTILE, "finished": False}, ensure_ascii=False)),
        Record(3, "s-1", 0, FRAME, d=end),
        Record(4, "s-1", 0, CLOSE, d={"reason": HOSTILE}),
    ]
    write_recording(path, Header("tokenweir", 1, "cxone", "2026-11-20T12:00:00Z", HOSTILE), records)
    return path


def settings(folder: Path) -> list[Path]:
    (folder / "a.toml").write_text("")
    (folder / "b.toml").write_text('[moderation]\nblocklist = ["call"]\n')
    return [folder / "a.toml", folder / "b.toml"]


MARK = '"'


def quoted(text: str, quote: str = "'") -> str:
    return quote + text + quote


COMMANDS: dict[str, Callable[[Path], list[str | Path]]] = {
    "replay": lambda folder: ["replay", recording(folder)],
    "show": lambda folder: ["recordings", "show", recording(folder)],
    "show --raw": lambda folder: ["recordings", "show", "--raw", recording(folder)],
    "ls": lambda folder: ["recordings", "ls", recording(folder)],
    "moderate": lambda folder: ["moderate", recording(folder)],
    "diff": lambda folder: ["diff", *settings(folder), recording(folder)],
    "query": lambda folder: [
        "query",
        f"SELECT {quoted(HOSTILE)} AS {quoted(HOSTILE, MARK)}, {quoted(HOSTILE)}",
        "--data-dir",
        landed(folder, by_hand()),
    ],
    "an error": lambda folder: ["replay", folder / HOSTILE.replace("/", "")],
    "a mistake in SQL": lambda folder: [
        "query",
        f"FROM {quoted(HOSTILE, MARK)}",
        "--data-dir",
        landed(folder, by_hand()),
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_nothing_that_a_terminal_would_obey(command: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(arg) for arg in COMMANDS[command](tmp_path)])
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    assert obeyed(result.output) == []
    assert r"\x1b]0;owned\x07b" in result.output.replace("\\\\", "\\")
    assert "[bold]a" in result.output, "nor is it taken for markup"
    assert ":smile:" in result.output


def test_what_is_for_machines_is_exact(tmp_path: Path) -> None:
    path = recording(tmp_path)
    shown = CliRunner().invoke(main, ["replay", str(path), "--json"]).stdout
    assert HOSTILE in "".join(json.loads(line)["text"] for line in shown.splitlines())
    exported = CliRunner().invoke(main, ["recordings", "export", str(path)]).stdout
    assert json.dumps(HOSTILE)[1:-1] in exported
    assert json.dumps(HOSTILE, ensure_ascii=False)[1:-1] in exported
    asked = f"SELECT {quoted(HOSTILE)} AS x"
    args = ["query", asked, "--format", "csv", "--data-dir", str(landed(tmp_path, by_hand()))]
    assert CliRunner().invoke(main, args).stdout == f"x\n{HOSTILE}\n"


def test_a_log_line_is_one_line_that_a_terminal_does_not_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.Logger("connectors.test")
    logger.addHandler(StderrHandler())
    logger.warning("a vendor said %s", HOSTILE + "\n2026-11-20 forged line")
    try:
        raise InputError(HOSTILE)
    except InputError:
        logger.exception("failed")
    said = capsys.readouterr().err
    assert obeyed(said) == []
    first, second, third, *_ = said.splitlines()
    assert first.endswith(rf"WARNING connectors.test: a vendor said {SHOWN}\n2026-11-20 forged line")
    assert second.endswith("failed")
    assert third == "Traceback (most recent call last):"
    complain(InputError(HOSTILE))
    assert capsys.readouterr().err == f"tokenweir: {SHOWN}\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_screen_shows_any_text_and_obeys_none(terminal: bool) -> None:
    page = io.StringIO()
    with Screen(Terminal(file=page, force_terminal=terminal, color_system=None, width=200, soft_wrap=True)) as screen:
        for text in (HOSTILE, "[/]", "\\[/x]\\", "[link=x]", "ends in \\"):
            screen.show(Message("s-1", 0, 0, text, "sentence", False, False, 0))
        screen.show(Message("s-1", 0, 1, "", "end", True, False, 0))
    shown = page.getvalue()
    for text in (SHOWN, "[/]", "\\[/x]\\", "[link=x]", "ends in \\"):
        assert f" {text}\n" in shown.replace("\x1b[2K", "").replace("\r", "")
    assert "owned\x07" not in shown
    assert "\x9b" not in shown


def test_the_pytest_plugin_shows_a_difference_that_no_terminal_obeys(tmp_path: Path) -> None:
    recording(tmp_path)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tokenweir-recordings", "."]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "has no snapshot yet" in ran.stdout
    assert r"\u202ee" in ran.stdout
    assert obeyed(ran.stdout) == []
