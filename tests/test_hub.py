"""hub.py, ids.py, tickets.py: what callers were shown, for how long, and to whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.frontend.hub import MESSAGE_COST, Caller, FullError, Hub, HubSettings, State, UnknownTurnError
from connectors.frontend.ids import Key, Place, event_id, parse_event_id
from connectors.frontend.shown import Shown
from connectors.frontend.stream import CHUNK, chunks
from connectors.frontend.tickets import TicketError, Tickets
from connectors.frontend.turn import TAKE_CHARS
from connectors.log.records import Finish, Message
from connectors.sse import Event, SSEDecoder, encode

KEY = ("s", 0)
OTHER = ("s", 1)


def message(seq: int, text: str, *, key: tuple[str, int] = KEY, **change: Any) -> Message:
    fields = {"closed_by": "sentence", "final": False, "fallback": False, "t": 0, **change}
    return Message(*key, seq, text, **fields)


def publish(hub: Hub, texts: Iterable[str], *, key: tuple[str, int] = KEY, now: float = 0.0) -> None:
    """A whole turn: the texts, the last of them final."""
    texts = list(texts)
    for seq, text in enumerate(texts):
        final = seq == len(texts) - 1
        hub.publish(message(seq, text, key=key, final=final, closed_by="end" if final else "sentence"), now)


def begin(hub: Hub, *texts: str) -> None:
    """A turn that is under way."""
    for seq, text in enumerate(texts):
        hub.publish(message(seq, text), 0)


def join(hub: Hub, after: int = -1, *, key: tuple[str, int] = KEY, now: float = 0.0, attends: bool = True) -> Caller:
    return hub.join(key, after, now, lambda: None, attends=attends)


def read(caller: Caller) -> list[Event]:
    """All that can be read now."""
    events: list[Event] = []
    while taken := caller.take():
        events += [Event(event.event, event.data, event.id) for event in taken]
    return events


class Kept:
    """An archive: all that a hub keeps, but for what is `lost`."""

    def __init__(self) -> None:
        self.messages: dict[tuple[str, int, int], Message] = {}
        self.lost: set[int] = set()

    def keep(self, shown: Shown) -> None:
        if isinstance(shown, Message):
            self.messages[shown.session_id, shown.turn, shown.seq] = shown

    def has(self, key: Key, first: int, end: int) -> bool:
        return all(self.recall(key, seq) for seq in range(first, end))

    def recall(self, key: Key, seq: int) -> Message | None:
        return None if seq in self.lost else self.messages.get((*key, seq))


def archived(**settings: Any) -> tuple[Hub, Kept]:
    """A hub whose messages leave memory for an archive."""
    kept = Kept()
    return Hub(HubSettings(**settings), kept.keep, kept), kept


def told(caller: Caller) -> list[tuple[str, str, str]]:
    return [(event.event, event.data, event.id) for event in read(caller)]


def test_a_caller_gets_the_tokens_and_then_the_whole_text() -> None:
    hub = Hub(HubSettings())
    publish(hub, ["One. ", "Two."])
    caller = join(hub)
    assert not caller.over
    assert told(caller) == [("token", "One. ", "s/0/0"), ("token", "Two.", "s/0/1"), ("done", "One. Two.", "s/0/2")]
    assert caller.over


def test_a_caller_is_woken_by_what_comes_later() -> None:
    hub, woken = Hub(HubSettings()), []
    hub.open(KEY, 0)
    caller = hub.join(KEY, -1, 0, lambda: woken.append(len(woken)))
    assert read(caller) == []
    hub.publish(message(0, "One. "), 1)
    assert woken
    assert [event.data for event in read(caller)] == ["One. "]
    assert not caller.over


def test_an_empty_last_message_is_no_token() -> None:
    hub = Hub(HubSettings())
    publish(hub, ["One.", ""])
    assert told(join(hub)) == [("token", "One.", "s/0/0"), ("done", "One.", "s/0/2")]


def test_nothing_is_read_after_the_end() -> None:
    hub = Hub(HubSettings())
    publish(hub, ["One."])
    end = read(join(hub))[-1]
    assert join(hub, parse_event_id(end.id).seq).over


def test_a_failed_turn_ends_with_the_error_text_and_keeps_what_was_shown() -> None:
    hub = Hub(HubSettings(error_text="sorry"))
    hub.publish(message(0, "One. "), 0)
    hub.publish(message(1, "Tw", closed_by="error", final=True), 0)
    assert told(join(hub)) == [("token", "One. ", "s/0/0"), ("token", "Tw", "s/0/1"), ("error", "sorry", "s/0/2")]


def test_a_fallback_message_is_the_error_and_no_token() -> None:
    hub = Hub(HubSettings())
    hub.publish(message(0, "One. "), 0)
    hub.publish(message(1, "Please retry.", closed_by="error", final=True, fallback=True), 0)
    assert told(join(hub)) == [("token", "One. ", "s/0/0"), ("error", "Please retry.", "s/0/2")]


def test_a_line_end_that_was_cut_in_two_is_one() -> None:
    hub = Hub(HubSettings())
    publish(hub, ["a\r", "\n", "\nb\r", "", "\n\r", "c"])
    assert [event.data for event in read(join(hub))] == ["a\n", "\nb\n", "\n", "c", "a\n\nb\n\nc"]


def test_what_comes_twice_late_or_without_its_beginning_changes_nothing() -> None:
    hub = Hub(HubSettings())
    hub.publish(message(0, "One. "), 0)
    hub.publish(message(0, "One. "), 0)
    hub.publish(message(3, "lost", key=OTHER), 0)
    hub.publish(message(1, "Two.", closed_by="end", final=True), 0)
    hub.publish(message(2, "Three.", final=True), 0)
    assert read(join(hub))[-1].data == "One. Two."
    assert (hub.counts["repeated"], hub.counts["headless"], hub.counts["late"]) == (1, 1, 1)
    with pytest.raises(UnknownTurnError):
        join(hub, key=OTHER)


def test_a_gap_ends_a_turn_for_its_callers_at_once() -> None:
    hub = Hub(HubSettings(error_text="sorry"))
    hub.publish(message(0, "One. "), 0)
    hub.publish(message(2, "Three."), 0)
    hub.publish(message(1, "Two."), 0)
    assert told(join(hub)) == [("token", "One. ", "s/0/0"), ("error", "sorry", "s/0/1")]


pieces = st.text(st.sampled_from("ab :\0\u2028é😀\ud83d"), max_size=6) | st.text(st.sampled_from("a\r\n"), max_size=3)


@given(st.lists(pieces, min_size=1, max_size=12), st.lists(st.integers(1, 4), max_size=12), st.integers(1, 8))
def test_however_often_a_caller_is_cut_off_it_reads_everything_once(
    texts: list[str], visits: list[int], max_chars: int
) -> None:
    hub, shown = Hub(HubSettings()), iter(enumerate(texts))
    hub.open(KEY, 0)
    tokens: list[str] = []
    done: list[str] = []
    place = -1
    for visit in [*visits, len(texts)]:
        caller = join(hub, place)
        for _, (seq, text) in zip(range(visit), shown, strict=False):
            hub.publish(message(seq, text, final=seq == len(texts) - 1, closed_by="end"), 0)
            for event in caller.take(max_chars):
                (done if event.event == "done" else tokens).append(event.data)
                place = parse_event_id(event.id).seq
        hub.leave(caller, 0)
    for event in read(join(hub, place)):
        (done if event.event == "done" else tokens).append(event.data)
    whole = "".join(texts).replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(tokens) == whole
    assert done == [whole]


@given(st.lists(st.text(max_size=12) | pieces, min_size=1, max_size=8))
def test_no_text_can_forge_an_event(texts: list[str]) -> None:
    hub = Hub(HubSettings())
    publish(hub, ["data: x\n\nevent: done\ndata: y\n\n", "\rid: s/9/9\r\r", *texts])
    sent = read(join(hub))
    decoded = SSEDecoder().feed(b"".join([encode(event) for event in sent]))
    assert [(event.event, event.id) for event in decoded] == [(event.event, event.id) for event in sent]
    replaced = [event.data.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for event in sent]
    assert [event.data for event in decoded] == replaced


def test_a_turn_can_be_read_again_for_as_long_as_said() -> None:
    hub = Hub(HubSettings(replay_for=900))
    publish(hub, ["One."], now=100)
    hub.sweep(999.9)
    assert read(join(hub, now=999.9))
    with pytest.raises(UnknownTurnError):
        join(hub, now=1_000)
    hub.sweep(1_000)
    assert hub.kept == (0, 0)


def test_a_caller_that_stays_away_gives_the_turn_up() -> None:
    hub = Hub(HubSettings(resume_grace=10, cancelled_text="cancelled"))
    hub.open(KEY, 0)
    first, second = join(hub, now=1), join(hub, now=1)
    hub.leave(first, 2)
    assert hub.sweep(13) == []
    hub.leave(second, 3)
    hub.leave(second, 9)
    assert hub.sweep(12.9) == []
    assert hub.sweep(13) == [(KEY, "abandoned")]
    assert hub.sweep(14) == []
    assert told(join(hub, now=14)) == [("error", "cancelled", "s/0/0")]


def test_a_caller_that_cannot_come_back_is_not_waited_for() -> None:
    hub = Hub(HubSettings(resume_grace=10))
    begin(hub, "a")
    gone = hub.join(KEY, -1, 0, lambda: None, returns=False)
    other = hub.join(KEY, -1, 0, lambda: None, returns=False)
    hub.leave(gone, 1)
    assert hub.sweep(1) == [], "another reads on"
    hub.leave(other, 1)
    assert hub.sweep(1) == [(KEY, "abandoned")]


def test_beside_one_that_may_come_back_it_does_not_cut_that_ones_time_short() -> None:
    hub = Hub(HubSettings(resume_grace=10))
    begin(hub, "a")
    browser, client = join(hub), hub.join(KEY, -1, 0, lambda: None, returns=False)
    hub.leave(browser, 1)
    hub.leave(client, 2)
    assert hub.sweep(10.9) == []
    assert hub.sweep(11) == [(KEY, "abandoned")]


def test_how_a_turn_ended_is_known_with_its_end() -> None:
    hub = Hub(HubSettings())
    finish = Finish(0, *KEY, "interrupted", "", 1, 2, 3, True)
    begin(hub, "a")
    caller = join(hub)
    hub.finish(finish)
    hub.publish(message(1, "", final=True, closed_by="error"), 0)
    assert (caller.turn.finish, caller.turn.outcome) == (finish, "interrupted")
    hub.finish(Finish(0, *OTHER, "finished", "stop", 1, 2, 3, True))  # of a turn that is not kept
    publish(hub, ["b"], key=OTHER)
    assert join(hub, key=OTHER).turn.finish is None


def test_texts_are_taken_as_they_are_and_once() -> None:
    kept = Kept()
    hub = Hub(HubSettings(max_turn_chars=1), kept.keep, kept)
    publish(hub, ["a\r", "\nb", "", "c\rd"])
    caller = join(hub)
    assert "".join(caller.texts(1) + caller.texts()) == "a\r\nbc\rd"
    assert caller.heard_all
    assert caller.texts() == []
    assert [event.data for event in read(join(hub))][-1] == "a\nbc\nd"


def test_a_caller_that_comes_back_in_time_goes_on() -> None:
    hub = Hub(HubSettings(resume_grace=10, idle_timeout=0))
    hub.open(KEY, 0)
    hub.leave(join(hub, now=1), 2)
    join(hub, now=11)
    assert hub.sweep(30) == []


steps = st.lists(st.tuples(st.sampled_from(["comes", "goes", "looks", "looks away", "waits"]), st.integers(0, 3)))


@given(steps)
def test_who_only_looks_on_changes_nothing(steps: list[tuple[str, int]]) -> None:
    """The same turn twice, once without them: it ends at the same moment, for the same reason."""
    ends: list[list[tuple[float, list[Any]]]] = []
    for watched in (True, False):
        hub, there, looking = Hub(HubSettings(resume_grace=3, idle_timeout=9)), list[Caller](), list[Caller]()
        hub.open(KEY, 0)
        judged, now = [], 0.0
        for what, how_many in steps:
            now += how_many
            if what == "comes":
                there.append(join(hub, now=now))
            elif what == "goes" and there:
                hub.leave(there.pop(), now)
            elif what == "looks" and watched:
                looking.append(join(hub, now=now, attends=False))
            elif what == "looks away" and looking:
                hub.leave(looking.pop(0), now)
            judged.append((now, hub.sweep(now)))
        ends.append(judged)
    assert ends[0] == ends[1]


def test_those_who_look_on_never_end_a_turn() -> None:
    hub = Hub(HubSettings(resume_grace=10, idle_timeout=20, overall_timeout=60))
    hub.open(KEY, 0)
    first, second = join(hub, now=0, attends=False), join(hub, now=1, attends=False)
    hub.leave(second, 2)
    assert hub.sweep(1_000) == []
    hub.leave(first, 1_000)
    assert hub.sweep(2_000) == []
    assert hub.state(KEY) == ("running", 0, 0, 0)


def test_a_turn_without_callers_has_all_the_time_it_takes() -> None:
    hub = Hub(HubSettings())
    hub.open(KEY, 0)
    assert hub.sweep(1e6) == []
    join(hub, now=1e6)
    assert hub.sweep(1e6 + 19.9) == []


def test_the_two_time_outs_are_told_apart() -> None:
    hub = Hub(HubSettings(overall_timeout=60, idle_timeout=20, timeout_text="slow"))
    for key in (KEY, OTHER):
        hub.open(key, 0)
        join(hub, key=key)
    for seq in range(6):
        hub.publish(message(seq, "x", key=OTHER), seq * 10)
    assert hub.sweep(19.9) == []
    assert hub.sweep(20) == [(KEY, "idle_timeout")]
    assert hub.sweep(60) == [(OTHER, "overall_timeout")]
    assert read(join(hub, key=OTHER))[-1].data == "slow"
    assert (hub.counts["idle_timeout"], hub.counts["overall_timeout"]) == (1, 1)


def test_the_longest_ended_turn_makes_room() -> None:
    hub = Hub(HubSettings(max_kept_turns=2))
    for turn in range(3):
        publish(hub, ["One."], key=("s", turn))
    assert hub.kept[0] == 2
    assert hub.counts["forgotten"] == 1
    with pytest.raises(UnknownTurnError):
        join(hub)


def test_turns_under_way_are_never_forgotten_and_one_more_is_refused() -> None:
    hub = Hub(HubSettings(max_kept_turns=1))
    hub.open(KEY, 0)
    with pytest.raises(FullError, match="max_kept_turns"):
        hub.check_room()
    hub.publish(message(0, "x", key=OTHER), 0)
    assert hub.counts["unkept"] == 1
    assert hub.state(KEY)


def test_kept_characters_are_bounded() -> None:
    hub = Hub(HubSettings(max_kept_chars=3 * (MESSAGE_COST + 10)))
    for turn in range(9):
        publish(hub, ["x" * 10], key=("s", turn))
        assert hub.kept[1] <= 3 * (MESSAGE_COST + 10)
    assert hub.counts["forgotten"] == 6


@pytest.mark.parametrize("bound", ["max_turn_chars", "max_kept_chars"])
def test_a_turn_that_grows_past_what_memory_may_have_goes_on(bound: str) -> None:
    hub, _ = archived(**{bound: 10 * MESSAGE_COST})
    hub.open(KEY, 0)
    caller, got = join(hub), []
    for seq in range(200):
        hub.publish(message(seq, f"{seq} ", final=seq == 199, closed_by="end"), 0)
        assert hub.in_memory <= 10 * MESSAGE_COST
        got += read(caller)
    whole = "".join(f"{seq} " for seq in range(200))
    assert [event.id for event in got] == [f"s/0/{seq}" for seq in range(201)]
    assert (got[-1].event, got[-1].data) == ("done", whole)
    assert read(join(hub)) == got
    assert hub.state(KEY) == ("done", 200, len(whole), 2)
    assert hub.counts["archived"] > 150


def test_neither_many_messages_nor_much_text_ends_an_answer() -> None:
    for texts in ([f"w{number} " for number in range(50_000)], ["x" * 1_000 + "\n"] * 2_100):
        hub, _ = archived()
        hub.open(KEY, 0)
        caller, got = join(hub), []
        for seq, text in enumerate(texts):
            last = seq == len(texts) - 1
            hub.publish(message(seq, text, final=last, closed_by="end" if last else "token"), 0)
            if seq % 1_000 == 0:
                got += read(caller)
        got += read(caller)
        assert (got[-1].event, got[-1].data) == ("done", "".join(texts))
        assert [event.data for event in got[:-1]] == texts
        assert hub.in_memory <= HubSettings().max_turn_chars


def test_who_asks_for_what_is_not_kept_any_more_is_told_so() -> None:
    hub, kept = archived(max_turn_chars=4 * MESSAGE_COST, error_text="sorry")
    hub.open(KEY, 0)
    slow = join(hub)
    for seq in range(20):
        hub.publish(message(seq, "x"), 0)
    kept.lost = {3}
    with pytest.raises(UnknownTurnError, match="what comes after that event is not kept any more"):
        join(hub, 2)
    assert len(read(join(hub, 3))) == 16
    assert told(slow) == [*[("token", "x", f"s/0/{seq}") for seq in range(3)], ("error", "sorry", "")]
    assert slow.over
    assert not slow.finished
    hub.publish(message(20, "", final=True, closed_by="end"), 0)
    at_the_end = join(hub, 19)
    assert told(at_the_end) == [("error", "sorry", "s/0/21")], "not the whole text, so not `done`"
    assert at_the_end.finished
    assert hub.counts["cut_off"] == 2


def test_a_slow_reader_of_a_turn_that_is_forgotten_reads_on_and_holds_no_memory() -> None:
    hub, _ = archived(max_kept_turns=1)
    publish(hub, ["One. ", "Two."])
    slow = join(hub)
    for number in range(1, 9):
        publish(hub, ["Next."], key=("s", number))
    assert hub.in_memory == 5 + MESSAGE_COST
    assert KEY in set(hub.turns()), "so that its archive stays"
    assert [event.data for event in read(slow)] == ["One. ", "Two.", "One. Two."]
    hub.leave(slow, 0)
    assert KEY not in set(hub.turns())
    with pytest.raises(UnknownTurnError):
        join(hub)


cut_anywhere = st.text(st.sampled_from("ab\n\r \0é😀\ud83d\ude00"), max_size=9)


@given(st.lists(cut_anywhere, min_size=1, max_size=5), st.sampled_from([1, TAKE_CHARS // 6]))
def test_a_long_end_is_sent_as_a_short_one_is(texts: list[str], times: int) -> None:
    texts = [text * times for text in texts]
    hub, _ = archived(max_turn_chars=1)
    publish(hub, texts)
    whole = "".join(texts).replace("\r\n", "\n").replace("\r", "\n")
    caller, parts = join(hub), []
    while taken := caller.take():
        parts += chunks([event for event in taken if event.event == "done"])
    assert all(len(part) <= CHUNK for part in parts)
    assert b"".join(parts) == encode(Event("done", whole, event_id(KEY, len(texts))))


def test_callers_are_bounded() -> None:
    hub = Hub(HubSettings(max_callers=1))
    hub.open(KEY, 0)
    caller = join(hub)
    with pytest.raises(FullError, match="max_callers"):
        join(hub)
    with pytest.raises(FullError, match="max_callers"):
        hub.check_room(callers=1)
    hub.leave(caller, 0)
    hub.check_room(callers=1)
    assert hub.counts["refused"] == 2


def resume(hub: Hub, after: int, *, key: Key = KEY, attends: bool = True) -> Caller:
    return hub.join(key, after, 0, lambda: None, attends=attends, resumes=True)


def test_in_a_full_house_a_caller_that_comes_back_gets_the_place_of_its_old_connection() -> None:
    hub = Hub(HubSettings(max_callers=3))
    begin(hub, "One. ", "Two. ")
    hub.open(OTHER, 0)
    old, behind, other = join(hub), join(hub), hub.join(OTHER, -1, 0, lambda: None)
    old.take()
    new = resume(hub, 1)
    assert (old.closed, old.replaced, old.over, behind.closed, other.closed) == (True, True, True, False, False)
    assert hub.callers == 3
    hub.leave(old, 0)  # when the server finds it dead at last
    assert hub.callers == 3
    assert hub.state(KEY) == State("running", 2, 10, 2)
    publish(hub, ["One. ", "Two. ", "Three."])
    assert [event.data for event in new.take()] == ["Three.", "One. Two. Three."]
    assert hub.counts["replaced"] == 1


def test_of_whoever_was_replaced_for_another_nobody_loses_anything() -> None:
    """A dead connection's caller may get a living one's place first; that one then gets the dead one's."""
    hub = Hub(HubSettings(max_callers=2))
    begin(hub, "One. ")
    living, dead = join(hub), join(hub)
    for each in (living, dead):
        each.take()
    back = resume(hub, 0)
    assert living.replaced
    living_again = resume(hub, 0)
    assert dead.replaced
    assert not back.closed
    assert not living_again.closed


@pytest.mark.parametrize("resumed", [{"after": 1}, {"after": 0, "key": OTHER}, {"after": 0, "attends": False}])
def test_nobody_else_has_to_make_room(resumed: dict[str, Any]) -> None:
    """Who was not given so much, reads another turn, or reads it in another way, is another."""
    hub = Hub(HubSettings(max_callers=1))
    begin(hub, "One. ", "Two. ")
    hub.open(OTHER, 0)
    caller = join(hub)
    caller.take(max_chars=1)
    with pytest.raises(FullError, match="max_callers"):
        resume(hub, **resumed)
    assert not caller.closed


def test_where_there_is_room_nobody_is_replaced() -> None:
    hub = Hub(HubSettings(max_callers=2))
    hub.open(KEY, 0)
    caller = join(hub)
    resume(hub, -1)
    assert not caller.closed


def test_closing_sends_callers_away_without_an_end() -> None:
    hub, woken = Hub(HubSettings()), []
    hub.open(KEY, 0)
    caller = hub.join(KEY, -1, 0, lambda: woken.append(1))
    hub.close()
    assert caller.over
    assert woken
    assert read(caller) == []


def test_the_state_of_a_turn() -> None:
    hub = Hub(HubSettings())
    assert hub.state(KEY) is None
    hub.publish(message(0, "One. "), 0)
    join(hub)
    assert hub.state(KEY) == ("running", 1, 5, 1)
    publish(hub, ["One. ", "Two."])
    assert hub.state(KEY) == ("done", 2, 9, 1)


@pytest.mark.parametrize(
    "change",
    [{"overall_timeout": -1}, {"idle_timeout": float("nan")}, {"replay_for": float("inf")}, {"max_callers": 0}],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        HubSettings(**change)


@given(st.from_regex(r"[A-Za-z0-9._:@-]{1,128}", fullmatch=True), st.integers(0, 10**9 - 1), st.integers(-1, 10**9 - 1))
def test_ids_come_back_as_they_went(session_id: str, turn: int, seq: int) -> None:
    assert parse_event_id(event_id((session_id, turn), seq)) == Place((session_id, turn), seq)


@pytest.mark.parametrize("text", ["", "s", "s/0", "s/0/", "s/-1/0", "s/0/-2", "s/0/1\n", "a b/0/1", "s/0/١", "s/0/1/2"])
def test_what_is_no_id_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(InputError, match=r"^Last-Event-ID: not an id"):
        parse_event_id(text)


def fields(query: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in query.split("&"))


def test_a_ticket_opens_its_turn_until_it_expires() -> None:
    tickets = Tickets(b"k" * 32, lifetime=60)
    query = fields(tickets.query(("s-1", 3), now=1_000, dialog_id="d"))
    assert query["dialog_id"] == "d"
    assert tickets.check(query, now=1_059) == ("s-1", 3)
    with pytest.raises(TicketError, match="expires"):
        tickets.check(query, now=1_060)


@pytest.mark.parametrize("name", ["session_id", "turn", "expires", "signature"])
@pytest.mark.parametrize("value", [None, "", "4", "2000000000", "é"])
def test_a_ticket_that_was_changed_opens_nothing(name: str, value: str | None) -> None:
    tickets = Tickets(b"k" * 32, lifetime=60)
    query = fields(tickets.query(("s-1", 3), now=1_000))
    query.pop(name)
    if value is not None:
        query[name] = value
    with pytest.raises(TicketError, match="signature"):
        tickets.check(query, now=1_000)


def test_a_ticket_of_another_server_opens_nothing() -> None:
    query = fields(Tickets(b"a" * 32, 60).query(KEY, now=0))
    with pytest.raises(TicketError):
        Tickets(b"b" * 32, 60).check(query, now=0)
