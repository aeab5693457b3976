"""connectors.vendors.cognigy.contract: what Cognigy.AI's messages say, and what the flow makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.log.records import Record
from connectors.vendors.cognigy.contract import MAX_COUNT, Decoder, Delta
from connectors.vendors.decoding import MAX_FRAGMENTS, MAX_PENDING
from flows.steps.events import DeadLetter, Event, Text, Usage
from flows.steps.reassembly import Reassembly
from flows.steps.totals import Totals
from tests.conftest import EVALUATION

MALFORMED = [Delta(malformed=True)]


def deltas(*texts: str) -> list[Delta]:
    decoder = Decoder()
    return [delta for text in texts for delta in decoder.feed(text, None)]


def message(*tokens: str, done: bool = False, **more: Any) -> str:
    return json.dumps({"tokens": tokens, "done": done, **more})


def usage(prompt: Any = 12, completion: Any = 3, total: Any = 15) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def test_a_message_says_its_tokens_in_order() -> None:
    assert deltas(message("Hel", "lo")) == [Delta(("Hel", "lo"))]


def test_the_last_message_may_bring_tokens_and_usage() -> None:
    assert deltas(message("!", done=True, usage=usage())) == [Delta(("!",), True, usage=(12, 3, 15))]


def test_empty_tokens_are_none() -> None:
    assert deltas(message("", "a", "")) == [Delta(("a",))]


@pytest.mark.parametrize("text", ['{"done":true}', '{"tokens":null,"done":true}', '{"tokens":[],"done":true,"x":[1]}'])
def test_fields_may_lack_and_fields_may_be_new(text: str) -> None:
    assert deltas(text) == [Delta(finished=True)]


@pytest.mark.parametrize("error", ["overloaded", {"code": 7}, ["no"], 500, True])
def test_an_error_is_one_whatever_it_looks_like(error: object) -> None:
    assert deltas(message("a", error=error)) == [Delta(("a",), error=True)]


@pytest.mark.parametrize("error", [None, "", False])
def test_an_error_that_says_nothing_is_none(error: object) -> None:
    assert deltas(message("a", error=error)) == [Delta(("a",))]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        "12",
        usage(prompt=-1),
        usage(completion=1.5),
        usage(total="15"),
        usage(total=MAX_COUNT + 1),
        usage(prompt=True),
        usage(prompt=None),
    ],
)
def test_a_usage_that_is_none_costs_no_word(wrong: object) -> None:
    assert deltas(message("a", done=True, usage=wrong)) == [Delta(("a",), True)]


def test_a_total_that_lacks_is_the_sum() -> None:
    assert deltas(message(usage={"prompt_tokens": 2, "completion_tokens": 3})) == [Delta(usage=(2, 3, 5))]


@pytest.mark.parametrize(
    "text",
    ["<!-- no -->", "[]", "7", '"tokens"', '{"tokens":7}', '{"tokens":["a",7]}', '{"tokens":"abc"}', "]{", "null"],
)
def test_what_is_no_message_is_malformed_and_the_rest_goes_on(text: str) -> None:
    assert deltas(message("a"), text, message("b")) == [Delta(("a",)), *MALFORMED, Delta(("b",))]


def test_nesting_to_the_sky_is_malformed() -> None:
    assert deltas('{"tokens":' + "[" * 100_000, message("b")) == [*MALFORMED, Delta(("b",))]


def test_several_messages_in_one() -> None:
    assert deltas(message("a") + "\n " + message("b", done=True)) == [Delta(("a",)), Delta(("b",), True)]


def test_one_message_over_several() -> None:
    whole = message("ab", "c", done=True)
    for cut in range(1, len(whole)):
        assert deltas(whole[:cut], whole[cut:]) == [Delta(("ab", "c"), True)]


def test_halves_of_a_surrogate_pair_are_kept() -> None:
    assert deltas(message("a\ud83d", "\ude00")) == [Delta(("a\ud83d", "\ude00"))]


def test_a_message_that_never_ends_is_given_up_at_the_bound() -> None:
    decoder = Decoder()
    assert decoder.feed('{"tokens":["', None) == []
    piece = "x" * (MAX_PENDING // 10)
    given_up = [decoder.feed(piece, None) for _ in range(11)]
    assert MALFORMED in given_up
    assert len(decoder.pending) <= MAX_PENDING
    decoder.restart()
    found = [delta for _ in range(MAX_FRAGMENTS + 1) for delta in decoder.feed('{"tokens":["', None)]
    assert found == MALFORMED


# No brace in a token: a piece that is an object of its own is taken for a message, and rightly so.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="{"))


@settings(deadline=None)
@given(st.lists(st.lists(WORDS), max_size=8), st.data())
def test_the_same_tokens_come_out_whatever_the_pieces(groups: list[list[str]], data: st.DataObject) -> None:
    whole = "".join(message(*group) for group in groups)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=10)))
    decoder = Decoder()
    out: list[str] = []
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        restored = Decoder(decoder.pending, decoder.fragments)  # as after a restart
        out += [token for delta in restored.feed(whole[begin:end], None) for token in delta.tokens]
        decoder = restored
    assert out == [token for group in groups for token in group if token]


# In the flow


def turn(texts: Iterable[str]) -> list[Event]:
    core = Reassembly(Decoder())
    records = [Record(0, "s", 0, "open", d={}), *(Record(0, "s", 0, "frame", d=text) for text in texts)]
    close = Record(0, "s", 0, "close", d={"reason": "finished"})
    return [event for record in [*records, close] for event in core.feed(record)]


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def test_several_tokens_of_a_message_are_counted_and_joined() -> None:
    events = turn(
        [message("Hel", "lo ", "<0xE2>"), message("<0x82>", "<0xAC>", "\ud83d"), message("\ude00", done=True)]
    )
    assert text_of(events) == "Hello €😀"
    assert sum(event.tokens for event in events if isinstance(event, Text)) == 7


def test_usage_follows_the_text_it_counts() -> None:
    events = turn([message("a", usage=usage()), message("b", done=True)])
    assert events[1:4] == [Text(0, "s", 0, "a", 1), Usage(0, "s", 0, 12, 3, 15), Text(0, "s", 0, "b", 1)]


def test_usage_that_is_reported_again_replaces_what_was_reported() -> None:
    session = Totals("cognigy", Record(0, "s", 0, "open", d={}))
    rows = []
    for event in turn([message("a", usage=usage(12, 1, 13)), message("b", done=True, usage=usage(12, 2, 14))]):
        rows += [row for row in session.feed(event) if type(row).__name__ == "TurnRow"]
    [row] = rows
    assert (row.prompt_tokens, row.completion_tokens, row.total_tokens) == (12, 2, 14)
    assert not row.usage_estimated


def test_a_malformed_message_is_a_dead_letter() -> None:
    events = turn([message("a"), "<html>", message("b")])
    assert text_of(events) == "ab"
    assert [event.reason for event in events if isinstance(event, DeadLetter)] == ["malformed message"]


@pytest.mark.skipif(not (EVALUATION / "streams.jsonl").exists(), reason="the evaluation's data is not here")
@pytest.mark.parametrize("pack", [1, 7])
def test_every_text_stream_of_the_evaluation_comes_out_to_the_character(pack: int) -> None:
    for line in (EVALUATION / "streams.jsonl").read_text(encoding="utf-8").splitlines():
        stream = json.loads(line)
        tokens = stream["tokens"]
        groups = [tokens[at : at + pack] for at in range(0, len(tokens), pack)]
        assert text_of(turn(message(*group) for group in groups)) == "".join(tokens), stream["id"]
