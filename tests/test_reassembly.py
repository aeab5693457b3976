"""flows.steps.reassembly: frames to clean text."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.log.records import Frames, Record
from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.registry import named
from connectors.vendors.resumption import OWN
from flows.steps.continuation import HISTORY
from flows.steps.events import DeadLetter, Event, Repeated, Run, Text
from flows.steps.reassembly import Characters, Reassembly

OPEN = Record(0, "s", 0, "open", d={})
AGAIN = Record(0, "s", 0, "open", d={"continuation_id": "c"})
AGAIN_REPEATING = Record(0, "s", 0, "open", d={"continuation_id": "c", "resumes": "repeats"})
CLOSE = Record(0, "s", 0, "close", d={"reason": "finished"})


def token(text: str, frame_id: str | None = None) -> Record:
    return Record(0, "s", 0, "frame", id=frame_id, d=json.dumps({"token": text, "finished": False}))


def raw(data: str) -> Record:
    return Record(0, "s", 0, "frame", d=data)


def reassemble(records: Iterable[Record]) -> list[Event]:
    core = Reassembly(Decoder())
    return [event for record in [OPEN, *records, CLOSE] for event in core.feed(record)]


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def test_text_of_tokens_comes_out_as_it_came() -> None:
    events = reassemble([token("Hel"), token("lo "), token("there")])
    assert text_of(events) == "Hello there"
    assert sum(event.tokens for event in events if isinstance(event, Text)) == 3


def test_surrogate_halves_in_two_tokens_become_one_character() -> None:
    assert text_of(reassemble([token("a\ud83d"), token("\ude00b")])) == "a😀b"


def test_a_half_that_never_finds_the_other_becomes_a_replacement_character() -> None:
    assert text_of(reassemble([token("a\ud83d"), token("b")])) == "a\ufffdb"
    assert text_of(reassemble([token("\ude00b")])) == "\ufffdb"
    assert text_of(reassemble([token("a\ud83d")])) == "a\ufffd"


def test_byte_tokens_join_into_their_character() -> None:
    assert text_of(reassemble(map(token, ["<0xE2>", "<0x82>", "<0xAC>", "5"]))) == "€5"


def test_byte_tokens_that_are_no_utf8_become_replacement_characters() -> None:
    assert text_of(reassemble(map(token, ["<0xE2>", "<0x82>", "x"]))) == "\ufffdx"
    assert text_of(reassemble(map(token, ["<0xFF>", "<0x41>"]))) == "\ufffdA"


def test_a_byte_spelt_inside_a_longer_token_is_text() -> None:
    assert text_of(reassemble([token("use <0x41> here")])) == "use <0x41> here"


def test_several_messages_in_one_frame() -> None:
    assert text_of(reassemble([raw('{"token":"a","finished":false} {"token":"b","finished":false}')])) == "ab"


def test_one_message_over_several_frames() -> None:
    assert text_of(reassemble([raw('{"token":"a'), raw('b","fin'), raw('ished":false}'), token("c")])) == "abc"


def test_what_is_no_json_becomes_a_dead_letter_and_the_rest_goes_on() -> None:
    events = reassemble([token("a"), raw("[DONE]"), raw('{"token": 7}'), token("b")])
    assert text_of(events) == "ab"
    assert [event.reason for event in events if isinstance(event, DeadLetter)] == ["malformed message"] * 2


def test_half_a_message_before_a_whole_one_is_given_up() -> None:
    events = reassemble([raw('{"token":"lost'), token("kept")])
    assert text_of(events) == "kept"
    assert any(isinstance(event, DeadLetter) for event in events)


WORDS = ["Your ", "order ", "is ", "on ", "its ", "way ", "to ", "you."]


@pytest.mark.parametrize("back", range(3, 6))
def test_tokens_repeated_after_a_continuation_are_dropped_by_their_ids(back: int) -> None:
    sent = [token(word, f"c-{i}") for i, word in enumerate(WORDS)]
    events = reassemble([*sent[:6], AGAIN, *sent[6 - back :]])
    assert text_of(events) == "".join(WORDS)
    assert sum(event.tokens for event in events if isinstance(event, Repeated)) == back


@pytest.mark.parametrize("ids", ["new", "one", "none"])
def test_tokens_repeated_without_telling_ids_are_dropped_by_their_text(ids: str) -> None:
    def name(run: int, i: int) -> str | None:
        return {"new": f"run{run}-{i}", "one": "c", "none": None}[ids]

    first = [token(word, name(1, i)) for i, word in enumerate(WORDS[:6])]
    second = [token(word, name(2, i)) for i, word in enumerate(WORDS[2:])]
    events = reassemble([*first, AGAIN_REPEATING, *second])
    assert text_of(events) == "".join(WORDS)
    assert [(event.tokens, event.kept) for event in events if isinstance(event, Repeated)] == [(4, False)]
    kept = reassemble([*first, AGAIN, *second])
    assert text_of(kept) == "".join([*WORDS[:6], *WORDS[2:]])
    assert [(event.tokens, event.kept) for event in kept if isinstance(event, Repeated)] == [(4, True)]


def test_a_short_repetition_under_new_ids_is_new_text() -> None:
    first = [token(text, f"a-{i}") for i, text in enumerate(["charge ", "4111", " ", "111", "1"])]
    second = [token(text, f"b-{i}") for i, text in enumerate([" ", "111", "1", " 1111 1111"])]
    assert text_of(reassemble([*first, AGAIN, *second])) == "charge 4111 1111 1111 1111 1111"


def test_text_under_ids_that_count_on_is_new_however_it_repeats() -> None:
    row = [*["|---"] * 8, "|"]
    sent = [token(text, f"ctx-{i}") for i, text in enumerate(row)]
    empty = token("", "ctx-4")
    assert text_of(reassemble([*sent[:4], AGAIN, *sent[4:]])) == "".join(row)
    assert text_of(reassemble([*sent[:4], empty, AGAIN, *sent[5:]])) == "".join(row[:4] + row[5:])


@pytest.mark.parametrize("name", ["ctx-{}~2", "run2-{}", "{}-ctx", "1{}" + "0" * 18, "{}" + "x" * 300])
def test_text_under_ids_of_another_count_is_told_by_its_length(name: str) -> None:
    sent = [token(word, f"ctx-{i}") for i, word in enumerate(WORDS[:6])]
    more = [token(word, name.format(i)) for i, word in enumerate(WORDS[2:], 2)]
    assert text_of(reassemble([*sent, AGAIN_REPEATING, *more])) == "".join(WORDS)


def test_a_repetition_cut_into_other_tokens_is_dropped_too() -> None:
    events = reassemble([*map(token, WORDS[:6]), AGAIN_REPEATING, token("is on its w"), token("ay to you.")])
    assert text_of(events) == "".join(WORDS)


def test_a_repetition_that_is_itself_cut_off_is_dropped_in_both_its_parts() -> None:
    again = AGAIN_REPEATING
    events = reassemble([*map(token, WORDS[:6]), again, *map(token, WORDS[1:4]), again, *map(token, WORDS[4:])])
    assert text_of(events) == "".join(WORDS)


def test_a_repetition_that_is_cut_off_and_begins_again_is_dropped_too() -> None:
    again = AGAIN_REPEATING
    events = reassemble([*map(token, WORDS[:6]), again, *map(token, WORDS[1:4]), again, *map(token, WORDS[1:])])
    assert text_of(events) == "".join(WORDS)


def test_a_repetition_that_does_not_reach_the_end_is_new_text() -> None:
    assert text_of(reassemble([*map(token, ["one two three four "]), AGAIN, token("one two five")])) == (
        "one two three four one two five"
    )


@pytest.mark.parametrize("again", [AGAIN, AGAIN_REPEATING])
def test_a_short_repetition_is_kept_and_counted(again: Record) -> None:
    events = reassemble([token("no "), token("no "), again, token("no "), token("more")])
    assert text_of(events) == "no no no more"
    assert [(event.tokens, event.kept) for event in events if isinstance(event, Repeated)] == [(1, True)]


def test_a_repetition_that_the_turns_end_cuts_short_is_not_lost() -> None:
    assert text_of(reassemble([token("one two three four"), AGAIN, token("one two")])) == "one two three fourone two"


def test_a_repetition_longer_than_the_history_counts_as_new_text() -> None:
    words = [f"{i} " for i in range(3 * HISTORY // 5)]
    text = "".join(words)
    assert text_of(reassemble([*map(token, words), AGAIN, *map(token, words)])) == text + text


@given(st.text(), st.data())
def test_any_cut_of_any_text_into_utf16_units_comes_out_whole(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(units) // 2))))
    edges = [0, *cuts, len(units) // 2]
    tokens = [units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(edges)]
    characters = Characters()
    whole = "".join(map(characters.feed, tokens)) + characters.flush()
    assert whole == text or "<0x" in text


def byte_tokens(text: str) -> list[str]:
    return [f"<0x{byte:02X}>" for byte in text.encode()]


def unit_tokens(text: str) -> list[str]:
    units = text.encode("utf-16-le")
    return [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]


@given(st.text(), st.sampled_from([byte_tokens, unit_tokens]), st.integers(0, 200), st.booleans())
def test_a_turn_that_was_cut_off_ends_with_its_last_whole_character(
    text: str, spell: Callable[[str], list[str]], cut: int, split: bool
) -> None:
    tokens = spell(text)[:cut]
    core = Reassembly(Decoder())
    out: list[Event] = []
    for record in [OPEN, *map(token, tokens), Record(0, "s", 0, "close", d={"reason": "interrupted"})]:
        if split:
            restored = Reassembly(Decoder())
            restored.restore(pickle.loads(pickle.dumps(core.snapshot())))
            core = restored
        out += core.feed(record)
    shown = text_of(out)
    assert text.startswith(shown)
    rest = len(tokens) - len(spell(shown))
    assert 0 <= rest < 4
    assert [event.reason for event in out if isinstance(event, DeadLetter)] == ["half a character"] * (rest > 0)


@given(st.binary())
def test_any_bytes_spelt_as_byte_tokens_decode_as_utf8_does(data: bytes) -> None:
    characters = Characters()
    out = "".join(characters.feed(f"<0x{byte:02X}>") for byte in data) + characters.flush()
    assert out == data.decode(errors="replace")


@given(
    st.lists(st.text("abc ", min_size=1, max_size=4), min_size=1, max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.booleans(),
)
def test_a_drop_anywhere_and_a_repetition_of_any_length_give_the_text_where_ids_tell(
    tokens: list[str], drop: int, back: int, split: bool
) -> None:
    drop = min(drop, len(tokens))
    back = min(back, drop)
    frames = [token(text, f"c-{i}") for i, text in enumerate(tokens)]
    core = Reassembly(Decoder())
    out: list[Event] = []
    for record in [OPEN, *frames[:drop], AGAIN, *frames[drop - back :], CLOSE]:
        if split:
            restored = Reassembly(Decoder())
            restored.restore(pickle.loads(pickle.dumps(core.snapshot())))
            core = restored
        out += core.feed(record)
    if len(tokens) >= OWN:
        assert text_of(out) == "".join(tokens)
    else:  # so few ids do not show whether frames share them
        assert text_of(out) in ("".join(tokens), "".join(tokens[:drop] + tokens[drop - back :]))


def test_tokens_of_new_ids_before_one_of_a_known_id_are_not_lost() -> None:
    sent = [token("Hello", "c0"), token(" there", "c1"), token(" my", "c2"), token(" friend", "c3")]
    again = [AGAIN, token(" there", "c9"), token(" my", "c2"), token(" friend", "c3"), token(" new", "c4")]
    assert text_of(reassemble([*sent, *again])) == "Hello there my friend there new"


def test_what_version_3_remembered_goes_on() -> None:
    """It knew nothing of what a decoder remembers."""
    core = Reassembly(Decoder())
    for record in [OPEN, token("Hel\ud83d"), raw('{"token":"')]:
        core.feed(record)
    opened, json_, characters, continuation = core.snapshot()
    again = Reassembly(Decoder())
    again.restore(Reassembly.upgrade((opened, json_[:3], characters, continuation), 3))
    assert text_of(again.feed(raw('\\ude00lo"}'))) == "😀lo"


def test_what_a_decoder_remembers_is_in_the_snapshot() -> None:
    """Responses' last event repeats the text, which is shown only where none came before."""
    said = raw('{"type":"response.output_text.delta","delta":"Hello"}')
    end = raw('{"type":"response.completed","response":{"output":[{"content":[{"text":"Hello"}]}]}}')
    core, again = Reassembly(named("responses").decoder()), Reassembly(named("responses").decoder())
    core.feed(OPEN)
    assert text_of(core.feed(said)) == "Hello"
    again.restore(pickle.loads(pickle.dumps(core.snapshot())))
    assert text_of(again.feed(end)) == ""


_TOKENS = ("a", "b ", "", "\ud83d", "\ude00", "<0xE2>", "<0x82>", "<0xAC>", "<0x", "é")
_MESSAGES = st.tuples(st.sampled_from(["token", "tokens"]), st.lists(st.sampled_from(_TOKENS), max_size=3)).map(
    lambda said: json.dumps({"token": "".join(said[1])} if said[0] == "token" else {"tokens": said[1]})
)
_FRAMES = st.one_of(
    _MESSAGES.map(lambda message: [message]),
    st.tuples(_MESSAGES, st.integers(1, 12)).map(lambda cut: [cut[0][: cut[1]], cut[0][cut[1] :]]),
    st.tuples(_MESSAGES, _MESSAGES).map(lambda two: ["".join(two)]),
    st.sampled_from(["", "{}", "nonsense", "\n"]).map(lambda text: [text]),
)


def _singly(vendor: str, hands: Iterable[list[Record]]) -> tuple[list[Event], object]:
    """What comes of frames that are given in these hands, token by token; and what is remembered after them."""
    core = Reassembly(named(vendor).decoder())
    out = list(core.feed(OPEN))
    for hand in hands:
        out += core.feed(hand[0] if len(hand) == 1 else Frames(hand[0].t, "s", 0, hand))
    remembered = core.snapshot()
    out += core.feed(CLOSE)
    each = [part for one in out for part in (map(one.token, range(len(one.times))) if type(one) is Run else [one])]
    return [event for event in each if not (type(event) is Text and not event.text and not event.tokens)], remembered


@pytest.mark.parametrize("vendor", ["cxone", "cognigy"])
@given(st.lists(_FRAMES, max_size=7), st.lists(st.integers(1, 6), max_size=6))
def test_frames_in_a_row_say_what_each_of_them_would(vendor: str, said: list[list[str]], sizes: list[int]) -> None:
    frames = [Record(t, "s", 0, "frame", d=text) for t, text in enumerate(itertools.chain.from_iterable(said))]
    ends = [0, *itertools.accumulate(sizes), len(frames)]
    hands = [frames[begin:end] for begin, end in itertools.pairwise(ends) if frames[begin:end]]
    assert _singly(vendor, hands) == _singly(vendor, [[each] for each in frames])


@pytest.mark.parametrize(
    ("vendor", "said"),
    [
        ("cognigy", ['{"tokens":["a"]}', '{"tokens":["b","<0xE2>"]}', '{"tokens":["c"]}', '{"tokens":["d"]}']),
        ("cxone", ["", '{"token":"a"}{"token":"b"}']),
        ("cxone", ['{"token":', '"a"}', '{"token":"b"}{"token":"c"}']),
    ],
    ids=["half a character between", "an empty frame before two messages", "a message over two before two"],
)
def test_what_is_odd_between_frames_in_a_row_is_read_alike(vendor: str, said: list[str]) -> None:
    frames = [Record(t, "s", 0, "frame", d=text) for t, text in enumerate(said)]
    assert _singly(vendor, [frames]) == _singly(vendor, [[each] for each in frames])
