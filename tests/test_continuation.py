"""flows.steps.continuation: new text or a repetition, against a model vendor of each kind of ids."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connectors.log.records import Record
from connectors.vendors.cxone.contract import Decoder
from connectors.vendors.resumption import OWN, OWN_IDS, SAME_IDS, SHARED_IDS
from flows.steps.events import Event, Repeated, Text
from flows.steps.reassembly import Reassembly
from flows.steps.received import HISTORY


class Frame(NamedTuple):
    """What a vendor sends at once: tokens and their id, and how many of its first tokens had arrived before."""

    tokens: tuple[str, ...]
    id: str | None
    repeated: int = 0


class Outcome(NamedTuple):
    text: str
    dropped: int
    doubtful: int


def played(connections: Sequence[Sequence[Frame]], *, split: bool = False, **known: Any) -> Outcome:
    """What comes out of these connections, one after the other; `known` is what the continuations' opens say."""
    core = Reassembly(Decoder())
    out: list[Event] = []
    records = []
    for number, frames in enumerate(connections):
        records.append(Record(0, "s", 0, "open", d={"continuation_id": "c", **known} if number else {}))
        records += [record(frame) for frame in frames]
    for each in [*records, Record(0, "s", 0, "close", d={"reason": "finished"})]:
        if split:
            restored = Reassembly(Decoder())
            restored.restore(pickle.loads(pickle.dumps(core.snapshot())))
            core = restored
        out += core.feed(each)
    repeats = [event for event in out if isinstance(event, Repeated)]
    return Outcome(
        "".join(event.text for event in out if isinstance(event, Text)),
        sum(event.tokens for event in repeats if not event.kept),
        sum(event.tokens for event in repeats if event.kept),
    )


def record(frame: Frame) -> Record:
    messages = [json.dumps({"token": token, "finished": False}) for token in frame.tokens or ("",)]
    return Record(0, "s", 0, "frame", id=frame.id, d="\n".join(messages))


# The model: tokens in frames, ids by the frame's number, connections that break and begin some frames back.

Naming = Callable[[int], str | None]

NAMINGS: dict[str, Callable[[int], Naming]] = {
    "counting": lambda size: lambda number: f"ctx-{number}",
    "unique": lambda size: lambda number: hashlib.sha256(b"%d" % number).hexdigest()[:16],
    "groups": lambda size: lambda number: f"group-{chr(97 + number // size)}",
    "one": lambda size: lambda number: "ctx",
    "none": lambda size: lambda number: None,
}

repetitive = st.lists(
    st.sampled_from(["a", "b", "aa", "ha ", "1", "11", "|---", "|", "\n", "- x\n", "no "]), min_size=1, max_size=24
)


class Model(NamedTuple):
    """A stream and what befalls it. `breaks`: frames that each connection gives, and how many the next goes back."""

    frames: list[tuple[str, ...]]
    naming: Naming
    breaks: list[tuple[int, int]]
    silent: int

    def connections(self) -> list[list[Frame]]:
        place, furthest, connections = 0, 0, []
        for count, back in [*self.breaks, (len(self.frames), 0)]:
            end = min(place + count, len(self.frames))
            connections.append(self.sent(place, end, furthest))
            furthest = max(furthest, end)
            place = max(0, end - back)
        return connections

    def sent(self, begin: int, end: int, furthest: int) -> list[Frame]:
        out = []
        for number in range(begin, end):
            if self.silent and number % self.silent == 0:
                out.append(Frame((), None if self.naming(number) is None else f"silent-{number}x"))
            tokens = self.frames[number]
            out.append(Frame(tokens, self.naming(number), len(tokens) if number < furthest else 0))
        return out

    @property
    def text(self) -> str:
        return "".join(token for tokens in self.frames for token in tokens)

    @property
    def repeats(self) -> bool:
        return any(frame.repeated for connection in self.connections() for frame in connection)


@st.composite
def models(draw: st.DrawFn, kinds: Sequence[str], *, most_back: int = 6) -> Model:
    tokens = draw(repetitive)
    sizes = draw(st.lists(st.integers(1, 3), min_size=len(tokens), max_size=len(tokens)))
    frames, at = [], 0
    for size in sizes:
        if at < len(tokens):
            frames.append(tuple(tokens[at : at + size]))
            at += size
    naming = NAMINGS[draw(st.sampled_from(kinds))](draw(st.integers(2, 5)))
    breaks = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(0, most_back)), max_size=4))
    return Model(frames, naming, breaks, draw(st.integers(0, 4)))


def renamed(model: Model) -> list[list[Frame]]:
    """The same, where repetitions come under new ids."""
    return [
        [frame._replace(id=f"{frame.id}~{number}") if frame.repeated else frame for frame in frames]
        for number, frames in enumerate(model.connections())
    ]


def could_come_of(connections: Sequence[Sequence[Frame]], text: str) -> bool:
    """Whether all that was new is in the text, in order, and else only what was repeated."""
    ends = {0}
    for connection in connections:
        for frame in connection:
            for number, token in enumerate(frame.tokens):
                after = {end + len(token) for end in ends if text.startswith(token, end)}
                ends = ends | after if number < frame.repeated else after
    return len(text) in ends


@given(models(["counting", "unique"]), st.booleans(), st.sampled_from(["auto", "repeats"]))
def test_ids_of_their_own_tell_every_repetition(model: Model, split: bool, resumes: str) -> None:
    assume(len(model.frames) >= OWN and (len(model.breaks) < 2 or model.breaks[0][0] >= OWN))  # else none has shown it
    if not (len(model.breaks) == 1 and model.breaks[0][1]):
        resumes = "auto"  # `repeats` trusts text where ids are new: it is for vendors that do repeat
    out = played(model.connections(), split=split, resumes=resumes)
    assert out.text == model.text
    assert out.dropped == sum(frame.repeated for frames in model.connections() for frame in frames)


@given(models(list(NAMINGS), most_back=0), st.booleans(), st.sampled_from(["auto", "exact"]))
@example(Model([("ha ",)] * 4, NAMINGS["one"](2), [(1, 0)], 0), False, "auto")
@example(Model([("ha ",)] * 6, NAMINGS["groups"](2), [(1, 0), (1, 0)], 0), True, "auto")
def test_text_of_an_exact_continuation_is_never_dropped(model: Model, split: bool, resumes: str) -> None:
    out = played(model.connections(), split=split, resumes=resumes)
    assert out.text == model.text
    assert out.dropped == 0


@given(models(list(NAMINGS)), st.booleans(), st.sampled_from([(), (SHARED_IDS,), (SAME_IDS,)]))
@example(
    Model([("a",)] * 3 + [("a", "a"), ("a", "a", "b")] + [("a",)] * 8, NAMINGS["groups"](2), [(5, 1), (1, 2)], 0),
    False,
    (),
)
def test_nothing_is_lost_and_what_is_doubled_is_counted(model: Model, split: bool, learnt: tuple[str, ...]) -> None:
    connections = model.connections()
    out = played(connections, split=split, learnt=learnt)
    assert could_come_of(connections, out.text)
    assert out.doubtful or len(out.text) <= len(model.text)


@given(models(["groups"]), st.booleans())
def test_groups_that_begin_with_an_earlier_id_are_told_exactly(model: Model, split: bool) -> None:
    connections = model.connections()
    last = ""
    for frames in connections:
        ids = [frame.id or "" for frame in frames if frame.tokens]
        assume(not last or not ids or ids[0] != last)
        last = max([last, *ids])
    out = played(connections, split=split)
    assert out.text == model.text


@given(models(["counting", "unique"], most_back=4))
def test_repetitions_under_new_ids_are_kept_and_counted(model: Model) -> None:
    out = played(renamed(model))
    assert could_come_of(renamed(model), out.text)
    assert out.doubtful or len(out.text) <= len(model.text)


@given(models(["one", "none", "groups"], most_back=0), st.data())
def test_a_repetition_cut_into_other_tokens_is_not_lost_either(model: Model, data: st.DataObject) -> None:
    first = model.frames[: data.draw(st.integers(1, len(model.frames)))]
    received = "".join(token for tokens in first for token in tokens)
    begin = data.draw(st.integers(0, len(received)))
    rest = model.text[begin:]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rest)), max_size=6)) | {0, len(rest)})
    again = [Frame((rest[a:b],), "c") for a, b in pairwise(cuts) if a < b]
    out = played([[Frame(tokens, "c") for tokens in first], again])
    assert out.text == received + rest
    assert out.doubtful or begin == len(received)


words = [f"word{number} " for number in range(40)]


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("back", [3, 7])
def test_a_vendor_that_is_set_to_repeat_is_told_by_its_text_too(naming: str, back: int) -> None:
    model = Model([(word,) for word in words], NAMINGS[naming](4), [(17, back), (9, back)], 0)
    for connections in [model.connections(), *([renamed(model)] if naming == "unique" else [])]:
        assert played(connections, resumes="repeats") == ("".join(words), 2 * back, 0)


@given(
    st.sampled_from(["groups", "one", "none", "counting", "unique"]),
    st.lists(st.integers(0, 20), max_size=8),
    st.integers(3, 12),
    st.booleans(),
)
@example("one", [15, 1, 2, 7], 12, True)
def test_a_vendor_that_repeats_is_told_wherever_its_repetitions_are_cut_off(
    naming: str, breaks: list[int], back: int, split: bool
) -> None:
    """Each connection begins `back` tokens before the end of what was sent, and breaks when it likes; not so early that
    all that had come is too short to be told."""
    name = NAMINGS[naming](4)
    furthest, connections = 0, []
    for count in [*breaks, len(words)]:
        begin = max(0, furthest - back)
        end = min(begin + count, len(words))
        if 0 < max(furthest, end) < 3:
            end = 3
        connections.append([Frame((words[at],), name(at), int(at < furthest)) for at in range(begin, end)])
        furthest = max(furthest, end)
    out = played(connections, split=split, resumes="repeats")
    assert out.text == "".join(words)
    assert not out.doubtful


def test_a_whole_group_that_comes_again_is_dropped_however_short_where_the_vendor_is_set_to_repeat() -> None:
    first = [Frame(("one ",), "a"), Frame(("two ",), "a"), Frame(("no ",), "b")]
    again = [Frame(("no ",), "b", 1), Frame(("more",), "b")]
    assert played([first, again], resumes="repeats") == ("one two no more", 1, 0)
    assert played([first, again]) == ("one two no no more", 0, 1)


def test_exact_drops_nothing_and_counts_what_ids_contradict() -> None:
    first = [Frame((text,), str(number)) for number, text in enumerate(["a", "b", "c", "d"])]
    assert played([first, first[2:]], resumes="exact") == ("abcdcd", 0, 2)


def test_ids_that_begin_anew_with_each_connection_lose_no_text() -> None:
    frames = [Frame((text,), str(number)) for number, text in enumerate(["The ", "cat ", "and ", "the "])]
    more = [Frame((text,), str(number)) for number, text in enumerate(["cat ", "sat ", "on ", "The ", "mat"])]
    out = played([frames, more])
    assert out.text == "The cat and the cat sat on The mat"
    assert out.dropped == 0
    assert out.doubtful


def test_ids_that_count_tokens_tell_a_repetition_in_other_frames() -> None:
    first = [Frame(("a", "a", "a"), "c-3"), Frame(("a", "a"), "c-5"), Frame(("a",), "c-6")]
    again = [Frame(("a", "a", "a", "a"), "c-8", 2), Frame(("b",), "c-9")]
    assert played([first, again]) == ("a" * 8 + "b", 2, 0)


@pytest.mark.parametrize("inherited", [True, False])
@pytest.mark.parametrize("drop", range(1, 12))
@pytest.mark.parametrize("back", range(4))
def test_ids_that_count_tokens_tell_even_where_only_some_frames_have_them(
    inherited: bool, drop: int, back: int
) -> None:
    def frames(begin: int, end: int) -> list[Frame]:
        out, last = [], None
        for number in range(begin, end):
            own = f"c-{number + 1}" if number % 3 == 2 else None
            last = own or (last if inherited else None)
            out.append(Frame(("ha ",), last))
        return out

    asked = max(0, drop - drop % 3)  # behind the last id
    if drop < 6:
        asked = drop  # too few ids to know what they count: the vendor goes on where it stopped
        back = 0
    out = played([frames(0, drop), frames(max(0, asked - back), 14)])
    assert out.text == "ha " * 14


def test_a_frame_that_holds_more_than_the_first_time_loses_nothing() -> None:
    first = [Frame((text,), str(number)) for number, text in enumerate(["a ", "b ", "c ", "d "])]
    assert played([first, [Frame(("d e ",), "3"), Frame(("f",), "4")]]).text == "a b c d e f"


def test_a_repetition_of_more_than_the_history_is_told_by_ids() -> None:
    texts = [f"{number} " for number in range(HISTORY // 2)]
    for naming in ("counting", "unique"):
        named = NAMINGS[naming](1)
        frames = [Frame((text,), named(number)) for number, text in enumerate(texts)]
        out = played([frames[:-5], [frame._replace(repeated=1) for frame in frames[:-5]] + frames[-5:]])
        assert out.text == "".join(texts)


def test_what_the_account_has_learnt_tells_from_the_first_frame_on() -> None:
    once = [Frame(("ha ",), "x")]
    assert played([once, once], learnt=[OWN_IDS]) == ("ha ", 1, 0)
    assert played([once, once], learnt=[SHARED_IDS]) == ("ha ha ", 0, 1)
    assert played([once, once]) == ("ha ha ", 0, 1)


def test_new_ids_are_surely_new_text_where_repetitions_have_the_ids_that_they_had() -> None:
    first = [Frame(("ha ",), each) for each in ("k", "w", "e", "r")]
    more = [Frame(("ha ",), each) for each in ("t", "z")]
    assert played([first, more]) == ("ha " * 6, 0, 2)
    assert played([first, more], learnt=[SAME_IDS]) == ("ha " * 6, 0, 0)
    assert played([first, [first[-1]], more]) == ("ha " * 6, 1, 0)


@pytest.mark.parametrize("known", [{"resumes": 7}, {"resumes": None, "learnt": "x"}, {"learnt": 5}, {"learnt": [[]]}])
def test_an_open_that_says_nonsense_is_one_that_says_nothing(known: dict[str, Any]) -> None:
    first = [Frame(("ha ",), each) for each in ("k", "w", "e", "r")]
    assert played([first, first[2:]], **known).text == "ha " * 4
