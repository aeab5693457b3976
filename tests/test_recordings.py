"""recordings/: each replayed through the real flow and compared with the truth.

With what it came to before it is compared by the plugin that users have too (flows/recordings/pytest_plugin.py).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.log.files import LogReader
from connectors.log.records import OPEN, encode_message
from flows.moderation import Moderator, Policy
from flows.moderation.policy import HELD
from flows.recordings.outcome import Outcome, outcome
from flows.recordings.vendor import vendor_of
from flows.replay import replay
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


@cache
def replayed(path: Path) -> Outcome:
    return outcome(path, settings_of(path))


def found_in(result: Outcome, key: Key) -> list[Span]:
    return [(row.start, row.end, row.category) for row in result.findings.get(key, ())]


@each_recording
def test_the_text_is_the_vendors_with_the_findings_replaced(path: Path) -> None:
    result = replayed(path)
    for key, stream in streams(path).items():
        turn, vendors = result.turns[key], CORPUS.text(stream)
        if turn.outcome == "finished":
            assert turn.chars_received == len(vendors)
        arrived = vendors[: turn.chars_received]
        found = found_in(result, key)
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
    for key, messages in outcome(torn, settings_of(torn)).messages.items():
        assert messages == replayed(path).messages[key][: len(messages)]


def test_every_recording_has_its_snapshot_and_every_snapshot_its_recording() -> None:
    snapshots = (FOLDER / "__snapshots__").glob("*.txt")
    assert {path.stem for path in snapshots} == {path.stem for path in RECORDINGS}


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
