"""A turn may be as long as it likes: an event costs the same at its end as at its beginning, and so does an epoch."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest

from connectors.log.records import FRAME, VERDICT, Question, Record
from connectors.vendors.cxone.contract import Decoder
from flows.moderation import Policy
from flows.steps.base import Core
from flows.steps.events import Event
from flows.steps.reassembly import Reassembly
from flows.steps.release import Release
from flows.steps.totals import Totals
from flows.steps.windows import Windows, WindowSettings

OPENED = Record(0, "s", 0, "open", d={"dialog_id": "d-1", "prompt_chars": 3})
SHORT, LONG, MEASURED = 2_000, 10_000, 300
ONE_EVENT = 64_000  # bytes that an event may need while it is worked on: some windows' text
EPOCH = 48_000  # bytes of a turn's snapshots, but for what it keeps for its dialog
RESPONSE = 5_000

WINDOW = WindowSettings(max_chars=400)
TURNS: dict[str, tuple[Iterable[str], WindowSettings, Policy]] = {
    "short messages": (["Hi. "], WINDOW, Policy()),
    "tokens": (["a "], WindowSettings(max_chars=400, mode="none"), Policy()),
    "one sentence": (["word "], WINDOW, Policy()),
    "one fence": (["```\n", *["x = 1.5\n"] * 2 * LONG], WINDOW, Policy()),
    "one word": (["a"], WindowSettings(max_chars=400, mode="paragraph"), Policy(blocklist=("ass",))),
    "bytes": (["<0xE4>", "<0xBD>", "<0xA0>"], WINDOW, Policy()),
    "white space": ([" "], WindowSettings(max_chars=400, mode="clause"), Policy(whitespace="normalise")),
    "findings": (["a@b.de. "], WINDOW, Policy()),
    "judged elsewhere": (["Hi. "], WINDOW, Policy(remote=("far",))),
    "tokens judged elsewhere": (["a "], WindowSettings(max_chars=400, mode="none"), Policy(remote=("far",))),
    "never judged": (["a "], WindowSettings(max_chars=400, mode="none"), Policy(remote=("far",))),
}


class Turn:
    """The cores of one turn, one after the other, as the shards drive them."""

    def __init__(self, windows: WindowSettings, policy: Policy, judged: bool) -> None:
        self.cores: list[Core] = [
            Reassembly(Decoder()),
            Windows(windows, OPENED),
            Release(policy, OPENED),
            Totals("cxone", OPENED, RESPONSE),
        ]
        self._judged = judged
        self.feed(OPENED)

    def feed(self, event: Event, core: int = 0) -> list[Any]:
        events: list[Any] = [event]
        for each in self.cores[core:]:
            events = [new for old in events for new in each.feed(old)]
        for question in events if self._judged else ():
            if isinstance(question, Question):
                verdict = {"detector": question.detector, "upto": question.start + len(question.text), "findings": []}
                self.feed(Record(event.t, "s", 0, VERDICT, d=verdict), 2)
        return events

    def snapshot(self) -> int:
        return sum(len(pickle.dumps(core.snapshot())) for core in self.cores)


def frames(texts: Iterable[str]) -> Iterator[Record]:
    for t, text in enumerate(itertools.cycle(texts), 1):
        yield Record(t, "s", 0, FRAME, id=f"f-{t}", d=msgspec.json.encode({"token": text, "finished": False}).decode())


@pytest.mark.parametrize("name", TURNS)
def test_an_event_and_an_epoch_cost_the_same_however_long_the_turn_is(name: str) -> None:
    texts, windows, policy = TURNS[name]
    turn = Turn(windows, policy, judged=name != "never judged")
    coming = frames(texts)
    for event in itertools.islice(coming, SHORT):
        turn.feed(event)
    assert turn.snapshot() < EPOCH
    for event in itertools.islice(coming, LONG):
        turn.feed(event)
    tracemalloc.start()
    try:
        for event in itertools.islice(coming, MEASURED):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            turn.feed(event)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < ONE_EVENT
    finally:
        tracemalloc.stop()
    assert turn.snapshot() < EPOCH
