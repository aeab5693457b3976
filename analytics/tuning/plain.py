"""The same figures the plain way: every stream through the operators, setting by setting.

This is what the walk is held against, in tests and in the benchmark, and what stands in for it where its tables do
not reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from analytics.tuning.figures import BINS, Tally, bin_of
from analytics.tuning.streams import Stream
from connectors.log.records import CLOSE, OPEN, Record
from flows.engine.shard import Shard
from flows.moderation import Policy
from flows.steps.events import Event, Finding, Output, Released, Text
from flows.steps.release import Release
from flows.steps.windows import Windows, WindowSettings

SESSION = ("s", 0)


def replay(stream: Stream, settings: WindowSettings, policy: Policy) -> list[Output]:
    """What leaves moderation of a stream: `Released` and `Finding` among what passes through."""
    opened = Record(0, *SESSION, OPEN, d={"language": stream.language})
    texts = [Text(t, *SESSION, text, 1) for t, text in zip(stream.times.tolist(), stream.pieces(), strict=True)]
    closed = Record(stream.closed, *SESSION, CLOSE, d={"reason": "finished"})
    windows = Shard("split_sentences", lambda opened: Windows(settings, opened))
    release = Shard("moderate", lambda opened: Release(policy, opened, language=settings.language or ""))
    events = cast(list[Event], windows.feed([opened, *texts, closed], stream.closed))
    return [event for event in release.feed(events, stream.closed) if not isinstance(event, Text)]


def tally(streams: Sequence[Stream], settings: Sequence[WindowSettings], policy: Policy) -> Tally:
    """The sums of all streams by setting; `policy` as `hold.holding` gives it."""
    sums = Tally.of(streams, len(settings))
    for stream in streams:
        for number, setting in enumerate(settings):
            _add(sums, number, stream, setting, policy)
    return sums


def _add(sums: Tally, number: int, stream: Stream, setting: WindowSettings, policy: Policy) -> None:
    events = replay(stream, setting, policy)
    released = [event for event in events if type(event) is Released]
    ends = _ends(events)
    whole = _sentence_ends(stream, setting)
    left = np.repeat([event.t for event in released], [event.tokens for event in released])
    delays = left.astype(np.int64) - stream.times
    sums.messages[number] += len(released)
    sums.windows[number] += sum(event.message.text != "" for event in released)
    sums.broken[number] += sum(len(stream.text[:end].rstrip()) not in whole for end in ends)
    sums.delays[number] += np.bincount(bin_of(delays), minlength=BINS).astype(np.int32)
    sums.firsts[number, bin_of(np.array([released[0].t]))[0]] += 1


def _ends(events: Sequence[Output]) -> list[int]:
    """Where in the stream's text each message ends."""
    ends, end, hidden = [], 0, 0
    for event in events:
        if type(event) is Finding and event.action != "flag":
            hidden += event.end - event.start - len("[REDACTED]")
        elif type(event) is Released:
            end += len(event.message.text) + hidden
            hidden = 0
            ends.append(end)
    return ends


def _sentence_ends(stream: Stream, setting: WindowSettings) -> set[int]:
    """The visible ends of the sentences, and of the text."""
    splitter = setting.splitter(stream.language or setting.language)
    ends, end = {len(stream.text.rstrip())}, 0
    for piece in [*splitter.feed(stream.text), *splitter.flush()]:
        end += len(piece)
        ends.add(len(stream.text[:end].rstrip()))
    return ends
