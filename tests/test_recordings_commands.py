"""`tokenweir replay`, `diff`, `recordings …` and `run --record`: the commands as they are typed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connectors.log.files import LogReader
from connectors.metrics import open_metrics
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from flows.recordings import editing
from tests.conftest import OtherSide, corpus_of
from tokenweir import main
from tokenweir.listing import listed
from tokenweir.output import Terminal

Start = Callable[..., OtherSide]
FOLDER = Path(__file__).parents[1] / "recordings"
CLEAN, PII, SETTINGS = FOLDER / "clean.jsonl", FOLDER / "pii.jsonl", FOLDER / "settings.toml"


def typed(*args: str | Path, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, [str(arg) for arg in args])


def test_an_exported_turn_imports_again(tmp_path: Path) -> None:
    body, again = tmp_path / "a.sse", tmp_path / "again.jsonl"
    assert typed("recordings", "export", CLEAN, "-o", body).exit_code == 0
    result = typed("recordings", "import", body, "-o", again, "--session-id", "refund", "--preset", "cxone")
    assert result.exit_code == 0, result.output
    assert "67 tokens of cxone in" in result.stderr
    assert "their times are made up, 0.03 s apart" in result.stderr
    frames = [[record.d for record, _ in LogReader(path).read() if record.k == "frame"] for path in (CLEAN, again)]
    assert frames[0] == frames[1]


def test_what_cannot_be_imported_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.sse").write_text("data: {}\n\n")
    result = typed("recordings", "import", tmp_path / "x.sse", "-o", tmp_path / "x.jsonl")
    assert result.exit_code == 7
    assert "no text by 'auto' in 1 events" in result.stderr


@pytest.mark.parametrize(
    "command",
    [("trim", CLEAN), ("split", CLEAN), ("merge", CLEAN, PII, "--rename"), ("keep", CLEAN)],
    ids=lambda c: c[0],
)
def test_a_place_where_nothing_can_be_written_is_said_in_one_line(
    command: tuple[str | Path, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = typed("recordings", *command, "-o", tmp_path / "file" / "x.jsonl")
    assert result.exit_code == 7
    assert "no recording can be written to" in result.stderr
    assert "name another place" in result.stderr


def test_recordings_are_listed_and_shown() -> None:
    listed = typed("recordings", "ls", FOLDER)
    assert "crowd.jsonl" in listed.stdout
    shown = typed("recordings", "show", CLEAN)
    assert "'I'" in shown.stdout
    assert "finished" in shown.stdout


def test_recordings_are_listed_readably_on_a_narrow_terminal() -> None:
    page = io.StringIO()
    summaries = [editing.summarise(path) for path in editing.recordings_in([FOLDER])]
    Terminal(file=page, width=80).print(listed(summaries, 80), highlight=False)
    lines = page.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for summary in summaries:
        assert any(line.startswith(summary.path.name) for line in lines), "no name is cut"
    assert "    sessions 2, turns 2, tokens 124, seconds 1.2; finished" in lines


def test_recordings_are_trimmed_split_and_merged(tmp_path: Path) -> None:
    parts, whole, one = tmp_path / "parts", tmp_path / "whole.jsonl", tmp_path / "one.jsonl"
    assert len(typed("recordings", "split", PII, "-o", parts).stdout.splitlines()) == 2
    assert typed("recordings", "merge", parts, "-o", whole).exit_code == 0
    assert typed("recordings", "trim", whole, "-o", one, "--session", "whole").exit_code == 0
    assert {record.s for record, _ in LogReader(one).read()} == {"whole", ""}


@pytest.mark.parametrize("command", ["trim", "split", "merge", "keep", "import", "export"])
def test_where_nothing_can_be_written_is_said_in_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = CLEAN
    if command == "import":
        source = tmp_path / "a.sse"
        typed("recordings", "export", CLEAN, "-o", source)
    result = typed("recordings", command, source, "-o", tmp_path / "file" / "out.jsonl")
    assert result.exit_code == (1 if command == "export" else 7)
    assert isinstance(result.exception, SystemExit), "no traceback"
    assert len(result.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in result.stderr


def test_a_replay_shows_the_same_sentences_whatever_is_asked_of_it() -> None:
    def sentences(*options: str) -> list[str]:
        result = typed("replay", CLEAN, "--settings", SETTINGS, "--json", *options)
        assert result.exit_code == 0, result.output
        return [json.loads(line)["text"] for line in result.stdout.splitlines()]

    as_it_was = sentences()
    assert len(as_it_was) == 4
    assert sentences("--speed", "100") == as_it_was
    assert sentences("--cut", "char", "--faults", "drop@40:repeat=20:ids=new,split=2") == as_it_was


def test_a_folder_is_replayed_one_recording_after_the_other(tmp_path: Path) -> None:
    typed("recordings", "split", PII, "-o", tmp_path)
    result = typed("replay", tmp_path, "--json")
    assert [json.loads(line)["session_id"] for line in result.stdout.splitlines()] == ["broken"] * 6 + ["whole"] * 6


def test_a_replay_reaches_a_desktop_and_the_database(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["Yes."]))
    result = typed("replay", CLEAN, "--desktop", side.desktop.url, "--data-dir", tmp_path)
    assert result.exit_code == 0, result.output
    assert side.desktop.is_whole("refund")
    with open_metrics(tmp_path) as database:
        assert database.sql("SELECT session_id, outcome FROM turns").fetchall() == [("refund", "finished")]


def test_a_replay_into_the_database_leaves_the_settings_prices_and_targets_there(tmp_path: Path) -> None:
    settings = tmp_path / "t.toml"
    settings.write_text('[[prices."gpt-4"]]\nprompt = 0.03\ncompletion = 0.06\n[slo]\nfirst_token = 1.5\n')
    result = typed("replay", CLEAN, "--settings", settings, "--data-dir", tmp_path / "data")
    assert result.exit_code == 0, result.output
    with open_metrics(tmp_path / "data") as database:
        assert database.sql("SELECT model, completion_price_per_1000::VARCHAR FROM prices").fetchall() == [
            ("gpt-4", "0.060000")
        ]
        assert database.sql("SELECT target_ms FROM slo WHERE measure = 'first_token'").fetchall() == [(1500,)]


def test_a_replay_asks_for_what_it_understands() -> None:
    for wrong in (["--cut", "words"], ["--faults", "boom@1"], ["--speed", "0"]):
        result = typed("replay", CLEAN, *wrong)
        assert result.exit_code == 7
        assert "Traceback" not in result.output


def test_a_diff_shows_what_a_change_does(tmp_path: Path) -> None:
    after = tmp_path / "after.toml"
    after.write_text('[moderation]\npii = ["EMAIL_ADDRESS"]\n')
    result = typed("diff", SETTINGS, after, PII, "--exit-code")
    assert result.exit_code == 9
    assert "lost: CREDIT_CARD by luhn" in result.stdout
    assert "+ We logged your visit from 192.0.2.44 on Tuesday." in result.stdout
    same = typed("diff", SETTINGS, SETTINGS, PII, "--exit-code")
    assert same.exit_code == 0
    assert "0 of 2 turns differ." in same.stdout
    assert json.loads(typed("diff", SETTINGS, after, PII, "--json").stdout)["turns"]


@pytest.mark.parametrize("options", [[], ["--fake-pii"]])
def test_a_run_is_recorded_by_session_with_its_manifest(other_side: Start, tmp_path: Path, options: list[str]) -> None:
    side = other_side(corpus_of(["Your ", "card ", "4111 1111 ", "1111 1111", " is charged."]))
    environment = {
        "CXONE_BASE_URL": side.gateway.url,
        "CXONE_CLIENT_ID": CLIENT_ID,
        "CXONE_CLIENT_SECRET": CLIENT_SECRET,
        "AGENT_WS_URL": side.desktop.url,
        "TOKENWEIR_DATA_DIR": str(tmp_path / "data"),
    }
    kept = tmp_path / "kept"
    result = typed("run", "cxone", "--prompt", "stream s", "--record", kept, "--why", "a test", *options, **environment)
    assert result.exit_code == 0, result.output
    assert ("4111 1111" in (kept / "s-1.jsonl").read_text()) == (not options)
    manifest = json.loads((kept / "s-1.manifest.json").read_text())
    assert manifest["why"] == "a test"
    assert manifest.get("fakes") == ({"CREDIT_CARD": 1} if options else None)
    replayed = typed("replay", kept / "s-1.jsonl", "--json").stdout.splitlines()
    assert replayed == [each.raw for each in side.desktop.received]
