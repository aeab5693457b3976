"""recordings/: each replayed through the real flow, compared with what it came to before and with the truth."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept import Kept
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from connectors.log import LogReader
from connectors.metrics import DeadLetterRow, FindingRow, TurnRow
from connectors.records import OPEN, Message, encode_message
from flows.moderation import Moderator, Policy
from flows.moderation.policy import HELD
from flows.replay import replay, vendor_of
from flows.settings import Settings, load
from recordings.make import FOLDER, SCENES, SETTINGS, corpus

RECORDINGS = sorted(FOLDER.glob("*.jsonl"))
CORPUS = corpus()
LARGEST = 100_000

Key = tuple[str, int]
Span = tuple[int, int, str]



def settings_of(path: Path) -> Settings:
    """What a recording is replayed with: one file for all, over its vendor's preset."""
    return load(SETTINGS, {}, vendor=vendor_of(path).name)


each_recording = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


class Replayed:
    """What a recording came to: messages, findings and the row of each turn, and the dead letters."""

    def __init__(self, path: Path) -> None:
        self.messages: dict[Key, list[Message]] = defaultdict(list)
        rows = Kept()
        replay(path, settings_of(path), self._show, rows={"keep_rows": rows})
        self.turns = {(row.session_id, row.turn): row for row in rows.items if isinstance(row, TurnRow)}
        self.findings: dict[Key, list[Span]] = defaultdict(list)
        for row in rows.items:
            if isinstance(row, FindingRow):
                self.findings[row.session_id, row.turn].append((row.start, row.end, row.category))
        self.dead = [row for row in rows.items if isinstance(row, DeadLetterRow)]

    def _show(self, message: Message) -> None:
        self.messages[message.session_id, message.turn].append(message)


replayed = cache(Replayed)


class Readable(SingleFileSnapshotExtension):
    """One text file a recording."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@each_recording
def test_replay(path: Path, snapshot: SnapshotAssertion) -> None:
    assert described(replayed(path)) == snapshot(extension_class=Readable)


@each_recording
def test_the_text_is_the_vendors_with_the_findings_replaced(path: Path) -> None:
    result = replayed(path)
    for key, stream in streams(path).items():
        turn, vendors = result.turns[key], CORPUS.text(stream)
        if turn.outcome == "finished":
            assert turn.chars_received == len(vendors)
        arrived = vendors[: turn.chars_received]
        found = result.findings[key]
        shown = "".join(message.text for message in result.messages[key] if not message.fallback)
        policy = settings_of(path).moderation
        if policy.markdown == "keep":
            assert shown == redacted(arrived, found, policy)
        if not any(category == HELD for _, _, category in found):
            text, findings = moderated_in_one_piece(arrived, policy)
            assert (shown, found) == (text, findings)


@each_recording
def test_every_turn_is_numbered_without_a_gap_and_ends_once(path: Path) -> None:
    result = replayed(path)
    assert result.messages.keys() == result.turns.keys() == requests(path).keys()
    for key, messages in result.messages.items():
        assert [message.seq for message in messages] == list(range(len(messages)))
        assert [message.final for message in messages] == [False] * (len(messages) - 1) + [True]
        assert [message.t for message in messages] == sorted(message.t for message in messages)
        assert result.turns[key].messages == len(messages)


@each_recording
def test_replaying_twice_gives_the_same_bytes(path: Path) -> None:
    assert replayed_bytes(path) == replayed_bytes(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_recording_cut_off_anywhere_gives_the_beginning_of_its_messages(tmp_path: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(RECORDINGS), label="recording")
    whole = path.read_bytes()
    cut = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)), label="cut")
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(whole[:cut])
    for key, messages in Replayed(torn).messages.items():
        assert messages == replayed(path).messages[key][: len(messages)]


def test_every_scene_is_recorded_and_listed() -> None:
    assert len(RECORDINGS) >= 12
    assert SCENES.keys() <= {path.stem for path in RECORDINGS}
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert not [name for name, scene in SCENES.items() if f"| {name} | {scene.note} |" not in listed]


@each_recording
def test_a_recording_is_small_and_says_what_it_holds_and_where_it_is_from(path: Path) -> None:
    note = LogReader(path).header.note
    assert len(note) > 20
    assert "Made by" in note
    assert path.stat().st_size < LARGEST


def requests(path: Path) -> dict[Key, dict[str, Any]]:
    """What each turn was opened with."""
    found: dict[Key, dict[str, Any]] = {}
    for record, _ in LogReader(path).read():
        if record.k == OPEN and isinstance(record.d, dict):
            found.setdefault((record.s, record.n), record.d)
    return found


def streams(path: Path) -> dict[Key, str]:
    """The turns whose prompt names a stream of ours, and which; of others the truth is not known."""
    named = {key: re.match(r"stream (\S+)", str(d.get("prompt"))) for key, d in requests(path).items()}
    return {key: match[1] for key, match in named.items() if match and match[1] in CORPUS}


def redacted(text: str, found: list[Span], policy: Policy) -> str:
    shown, at = "", 0
    for start, end, category in found:
        shown += text[at:start] + policy.mark_of(category)
        at = end
    return shown + text[at:]


def moderated_in_one_piece(text: str, policy: Policy) -> tuple[str, list[Span]]:
    moderator = Moderator(policy)
    shown = moderator.feed(text) + moderator.flush()
    return shown, [(finding.start, finding.end, finding.category) for finding in moderator.findings]


def replayed_bytes(path: Path) -> list[bytes]:
    messages: list[bytes] = []
    replay(path, settings_of(path), lambda message: messages.append(encode_message(message)))
    return messages


def described(result: Replayed) -> str:
    """A replay as a page to read and to compare: a paragraph a turn, a line a message, times in seconds."""
    paragraphs = [
        [describe_turn(turn), *map(describe_message, result.messages[key])]
        for key, turn in sorted(result.turns.items())
    ]
    dead = [f"dead letter: {row.session_id}/{row.turn} {row.step}: {row.reason}" for row in result.dead]
    return "\n\n".join("\n".join(lines) for lines in [*paragraphs, sorted(dead)] if lines) + "\n"


def describe_turn(turn: TurnRow) -> str:
    error = f" ({turn.error_kind})" if turn.error_kind else ""
    return (
        f"{turn.session_id}/{turn.turn}: {turn.outcome}{error}; "
        f"{turn.tokens_received} tokens received, {turn.tokens_repeated} repeated, {turn.tokens_sent} sent; "
        f"{turn.interruptions} interruptions, {turn.restarts} restarts"
    )


def describe_message(message: Message) -> str:
    text = json.dumps(message.text, ensure_ascii=False)
    last = (" final" if message.final else "") + (" fallback" if message.fallback else "")
    found = f" [{', '.join(message.moderated)}]" if message.moderated else ""
    return f"{message.seq:4} {message.t / 1e6:10.6f} {message.closed_by}{last}{found} {text}"
