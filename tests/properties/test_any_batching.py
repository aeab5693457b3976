"""The whole flow, whatever the batches, the interleaving, the pieces and the stops: the same output."""

from __future__ import annotations

import heapq
import json
import pickle
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSource, run_main
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.log.records import CLOSE, ERROR, FRAME, OPEN, Record, encode_message
from connectors.log.shards import Item, Sharder, shard_of
from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.cxone.vendor import VENDOR
from flows.engine.kept import KeptSink
from flows.engine.pipeline import build
from flows.engine.shard import Shard
from flows.moderation import Moderator, Policy
from flows.settings import Settings
from flows.steps.reassembly import Reassembly
from flows.steps.release import Release
from flows.steps.totals import Totals
from flows.steps.windows import Windows, WindowSettings

pytestmark = pytest.mark.timeout(600)  # to shrink what failed takes a while

SECOND = 1_000_000
CREATED = datetime(2026, 11, 20, 12, tzinfo=UTC)
HURRIED = Settings(
    window=WindowSettings(timeout=1.0, max_chars=60),
    moderation=Policy(
        blocklist=("frobnicate",),
        actions={"EMAIL_ADDRESS": "replace", "IP_ADDRESS": "drop", "IBAN_CODE": "end"},
        max_hold_seconds=2.0,
    ),
)
"""Settings under which all depends on times."""


PATIENT = {
    "redacting": Settings(window=WindowSettings(timeout=0), moderation=Policy(blocklist=("frobnicate", "坏人"))),
    "short windows": Settings(window=WindowSettings(timeout=0, max_chars=7)),
    "clauses": Settings(window=WindowSettings(timeout=0, mode="clause", min_chars=9, max_chars=25)),
    "paragraphs": Settings(window=WindowSettings(timeout=0, mode="paragraph")),
    "dropping": Settings(
        window=WindowSettings(timeout=0),
        moderation=Policy(
            blocklist=("frobnicate",), actions={"BLOCKED": "drop", "EMAIL_ADDRESS": "replace", "IP_ADDRESS": "flag"}
        ),
    ),
    "holding little": Settings(window=WindowSettings(timeout=0), moderation=Policy(max_hold_chars=12)),
    "formatting": Settings(
        window=WindowSettings(timeout=0), moderation=Policy(markdown="strip", whitespace="normalise")
    ),
}
"""Settings under which the times of the pieces must not matter."""

NAMES = ("s-0", "s-34", "s-1", "s-5")
WAITS = (0, 1, 40_000, SECOND - 1, SECOND, SECOND + 1, 2 * SECOND, 2 * SECOND + 1, 5 * SECOND)
BLOCKS = (
    "Yes. ", "No! ", "Is it? ", "e.g. this, ", "v2.4.1 ", "Dr. J. Okafor ", "and so on … ", "\n\n", "\n", " ", "  ",
    "- item\n", "1. item\n", "## Title\n", "| a | b |\n", "```\na. b = 1.\n```\n", "**bold** ", "`x. y` ", "“Quoted.” ",
    "maria@example.com ", "4111 1111 1111 1111", "5555-5555-5555-4444 ", "GB29 NWBK 6016 1331 9268 19 ", "192.0.2.44. ",
    "+1 202-555-0143, ", "frobnicate ", "Frob\u200bnicate. ", "frob", "nicator ", "坏人。", "日本語です。", "お願い！",
    "naïve ", "12 € ", "🙂 ", "👨‍👩‍👧‍👦", "🇳🇴", "नमस्ते। ", "word " * 9, "x" * 30, "11 11 11 ",
)  # fmt: skip

texts = st.lists(st.sampled_from(BLOCKS) | st.text(alphabet="aB1. @-\n*`é🙂", max_size=4), max_size=10).map("".join)


@st.composite
def cuts_of(draw: st.DrawFn, text: str) -> list[str]:
    """Tokens that spell the text: cut anywhere, between surrogate halves too; some characters byte by byte."""
    spelled = draw(st.sets(st.integers(0, len(text)), max_size=3))
    tokens: list[str] = []
    begin = 0
    for place in [*sorted(place for place in spelled if place < len(text)), len(text)]:
        units = text[begin:place].encode("utf-16-le")
        cuts = draw(st.lists(st.integers(0, len(units) // 2), max_size=12))
        for a, b in pairwise([0, *sorted(cuts), len(units) // 2]):
            tokens.append(units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass"))
        tokens += [f"<0x{byte:02X}>" for byte in text[place : place + 1].encode()]
        begin = place + 1
    return [token for token in tokens if token]


@st.composite
def framings_of(draw: st.DrawFn, tokens: list[str]) -> list[str]:
    """Frames that hold the tokens' JSON: one each, or cut anywhere, within a message and over several."""
    messages = [json.dumps({"token": token, "finished": False}) for token in tokens]
    if draw(st.booleans()):
        return messages
    whole = "\n".join(messages)
    cuts = draw(st.lists(st.integers(0, len(whole)), max_size=8))
    return [whole[a:b] for a, b in pairwise([0, *sorted(cuts), len(whole)])]


@st.composite
def turns(draw: st.DrawFn, session_id: str, number: int, begin: int) -> list[Record]:
    """One turn's records: with silences, drops, repetitions, and an end of some kind or none."""
    t = begin
    tokens = draw(texts.flatmap(cuts_of))
    records = [Record(t, session_id, number, OPEN, d={"prompt": "?"})]
    place, answer = 0, 0
    drops = draw(st.lists(st.integers(0, len(tokens)), max_size=2))
    for drop in [*sorted(drops), len(tokens)]:
        ids = draw(st.sampled_from(("event", "stream", None)))
        for at in range(place, drop):
            t += draw(st.sampled_from(WAITS))
            name = {"event": f"ctx-{at}", "stream": "ctx"}.get(str(ids))
            records.append(
                Record(t, session_id, number, FRAME, id=name, d=json.dumps({"token": tokens[at], "finished": False}))
            )
        t += draw(st.sampled_from(WAITS))
        if drop < len(tokens):
            answer += 1
            records.append(Record(t, session_id, number, ERROR, d={"kind": "ended", "status": None, "retry": answer}))
            records.append(Record(t, session_id, number, OPEN, d={"continuation_id": "ctx"}))
        place = max(0, drop - draw(st.integers(0, 4)))
    if reason := draw(st.sampled_from(("finished", "finished", "interrupted", ""))):
        records.append(Record(t, session_id, number, CLOSE, d={"reason": reason}))
    return records


@st.composite
def sessions(draw: st.DrawFn) -> list[list[Record]]:
    """Some sessions' records, each in order of time; one may have two turns."""
    found = []
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        records = draw(turns(name, 0, draw(st.integers(0, 3 * SECOND))))
        if records[-1].k == CLOSE and draw(st.booleans()):
            records += draw(turns(name, 1, records[-1].t))
        found.append(records)
    return found


Batch = tuple[Sequence[Record], int]


@st.composite
def batches_of(draw: st.DrawFn, records: Sequence[Record], end: int) -> list[Batch]:
    """The records in batches of any size, with marks as early and as late as they may be, and marks alone."""
    cuts = sorted(draw(st.lists(st.integers(0, len(records)), max_size=20)))
    batches: list[Batch] = []
    for a, b in pairwise([0, *cuts, len(records)]):
        earliest = records[b - 1].t if b else 0
        latest = records[b].t if b < len(records) else end
        batches.append((records[a:b], draw(st.integers(earliest, latest))))
        earliest = batches[-1][1]
        if draw(st.booleans()):
            batches.append(((), draw(st.integers(earliest, latest))))
    return batches


def dealt(batches: Iterable[Batch], end: int, patience: float = 0) -> list[Item]:
    """The batches as a source gives them; of the frames, this share is not urgent."""
    sharder, rng = Sharder("w00", CREATED), random.Random(end)
    items = []
    for records, mark in batches:
        urgent = [record.k != FRAME or rng.random() >= patience for record in records]
        items += sharder.deal(records, mark, urgent=urgent)
    return items + sharder.deal((), end, last=True)


def run(items: Iterable[Any], tuned: Settings, recovery: RecoveryConfig | None = None) -> dict[str, list[Any]]:
    """The items through the real dataflow: each session's messages, as bytes, and its rows."""
    shown, rows = KeptSink(), KeptSink()
    source, lists = TestingSource(items, 3), Path("no-lists")
    flow = build(source, VENDOR, tuned, lists=lists, messages={"show": shown}, rows={"rows": rows})
    run_main(flow, epoch_interval=timedelta(0) if recovery else None, recovery_config=recovery)
    out: dict[str, list[Any]] = defaultdict(list)
    for _, message in shown.items:
        out[message.session_id].append(encode_message(message))
    for row in rows.items:
        out[f"{row.session_id} rows"].append(row)
    return out


def one_after_the_other(found: list[list[Record]], end: int) -> dict[str, list[Any]]:
    """What each session comes to alone, in one batch."""
    out: dict[str, list[Any]] = {}
    for records in found:
        out |= run(dealt([(records, records[-1].t)], end), HURRIED)
    return out


def test_two_of_the_sessions_share_a_shard() -> None:
    assert len({shard_of(name) for name in NAMES}) == len(NAMES) - 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_batching_and_interleaving_gives_the_same_bytes(data: st.DataObject) -> None:
    found = data.draw(sessions())
    end = max(records[-1].t for records in found) + 9 * SECOND
    merged = list(heapq.merge(*data.draw(st.permutations(found)), key=lambda record: record.t))
    batches = data.draw(batches_of(merged, end))
    patience = data.draw(st.sampled_from([0, 0.5, 0.9]))
    assert run(dealt(batches, end, patience), HURRIED) == one_after_the_other(found, end)


@pytest.mark.parametrize("name", PATIENT)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_chunking_gives_the_same_text_numbers_and_moderation(name: str, data: st.DataObject) -> None:
    text = data.draw(texts)
    whole = streamed([json.dumps({"token": text, "finished": False})], PATIENT[name])
    frames = data.draw(cuts_of(text).flatmap(framings_of))
    assert streamed(frames, PATIENT[name]) == whole
    assert [seq for seq, *_ in whole] == list(range(len(whole)))
    if name not in ("dropping", "holding little"):
        moderator = Moderator(PATIENT[name].moderation)
        assert "".join(text for _, text, *_ in whole) == moderator.feed(text) + moderator.flush()


def streamed(frames: list[str], tuned: Settings) -> list[tuple[Any, ...]]:
    """What the frames of one turn come to, times aside."""
    records = [
        Record(0, "s", 0, OPEN, d={"prompt": "?"}),
        *(Record(t, "s", 0, FRAME, id=f"ctx-{t}", d=frame) for t, frame in enumerate(frames, 1)),
        Record(len(frames) + 1, "s", 0, CLOSE, d={"reason": "finished"}),
    ]
    out = run(dealt([(records, records[-1].t)], records[-1].t), tuned)
    messages = [json.loads(data) for data in out["s"]]
    return [tuple(m[field] for field in ("seq", "text", "closed_by", "final", "moderated")) for m in messages]


class Chain:
    """The flow's steps over one shard, without Bytewax."""

    def __init__(self) -> None:
        self.shards = [
            Shard("reassemble", lambda _: Reassembly(Decoder())),
            Shard("split_sentences", lambda opened: Windows(HURRIED.window, opened)),
            Shard("moderate", lambda opened: Release(HURRIED.moderation, opened)),
            Shard("measure", lambda opened: Totals("cxone", opened)),
        ]

    def feed(self, events: Sequence[Any], mark: int) -> list[Any]:
        for shard in self.shards:
            events = shard.feed(events, mark)
        return list(events)

    def restored(self) -> Chain:
        """Another chain, from snapshots of this one as a recovery store would keep them."""
        other = Chain()
        for shard, snapshot in zip(other.shards, [shard.snapshot() for shard in self.shards], strict=True):
            shard.restore(pickle.loads(pickle.dumps(snapshot)))
        return other


@settings(max_examples=100, deadline=None)
@given(found=sessions())
def test_a_snapshot_and_restore_of_every_step_after_every_record_changes_nothing(found: list[list[Record]]) -> None:
    records = list(heapq.merge(*found, key=lambda record: record.t))
    end = records[-1].t + 9 * SECOND
    expected = Chain().feed(records, end)
    chain, out = Chain(), []
    for record in records:
        out += chain.feed([record], record.t)
        chain = chain.restored()
    out += chain.feed([], end)
    assert by_session(out) == by_session(expected)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_flow_that_is_stopped_and_resumed_gives_the_same(data: st.DataObject) -> None:
    found = data.draw(sessions())
    records = list(heapq.merge(*found, key=lambda record: record.t))
    end = records[-1].t + 9 * SECOND
    items: list[Any] = dealt([([record], record.t) for record in records], end)
    stops = data.draw(st.lists(st.integers(0, len(items)), max_size=3))
    for stop in sorted(stops, reverse=True):
        items.insert(stop, TestingSource.EOF())
    out: dict[str, list[Any]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        init_db_dir(Path(folder), 1)
        for _ in range(len(stops) + 1):
            for key, values in run(items, HURRIED, RecoveryConfig(folder)).items():
                out[key] += values
    assert out == one_after_the_other(found, end)


def by_session(events: Iterable[Any]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        out[getattr(event, "s", None) or event.session_id].append(event)
    return out
