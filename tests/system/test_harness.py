"""Both services killed again and again while everything else goes wrong too: the short run; `make soak` is the long.

The harness' own judgements come first: each finds what it is there to find.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.system.harness import Plan, Share, run, say
from tests.system.harness.delivered import read
from tests.system.harness.desktops import DESKTOPS, NONE, PONG
from tests.system.harness.lateness import Arrival, waits
from tests.system.harness.plan import FEATURES
from tests.system.harness.streams import account_ids, known_ids, sessions_of
from tests.system.harness.truth import Truth, difference

SHORT = Plan(
    seed=20261121,
    cxone=Share(sessions=28, under_way=20, kills=4, tokens=70, life=(0.5, 2.5)),
    cognigy=Share(sessions=12, under_way=8, kills=2, tokens=60, life=(1.0, 4.0)),
    pace=0.05,
    within=120.0,
)


@pytest.mark.timeout(300)  # one that is not done is to say why
def test_no_kill_loses_or_repeats_a_sentence_or_a_row(tmp_path: Path) -> None:
    report = run(SHORT, tmp_path)
    for line in report.lines():
        say(line)
    assert report.differences == []
    assert len(report.kills) == SHORT.cxone.kills + SHORT.cognigy.kills
    assert max(report.mid_stream["cxone"]) >= 10


# What came to a desktop, against what was stored for it.


@pytest.mark.parametrize(
    ("connections", "again"),
    [
        (["abcd"], 0),
        (["ab", "cd"], 0),
        (["ab", "bcd"], 1),
        (["ab", "", "bcd"], 1),
        (["ab", "b", "bcd"], 2),
        (["a", "a", "abcd"], 2),
        (["", "abcd"], 0),
    ],
)
def test_one_message_may_come_again_at_each_lost_connection(connections: list[str], again: int) -> None:
    reading = read("abcd", connections, PONG)
    assert (reading.wrong, reading.again) == ("", again)
    assert ["".join("abcd"[place] for place in places) for places in reading.places] == connections


@pytest.mark.parametrize(
    ("connections", "wrong"),
    [
        (["abc"], "'d' and 0 after it never came"),
        (["acd"], "'c', 1 of connection 0, came while 1 should have been next, and is 2"),
        (["abbcd"], "'b', 2 of connection 0, came again"),
        (["abc", "bcd"], "'b', 0 of connection 1, came again and was not the last before it"),
        (["ab", "", "abcd"], "'a', 0 of connection 2, came again and was not the last before it"),
        (["abxcd"], "'x', 2 of connection 0, was never stored"),
        ([], "'a' and 3 after it never came"),
    ],
)
def test_what_is_lost_twice_or_out_of_order_is_named(connections: list[str], wrong: str) -> None:
    assert read("abcd", connections, PONG).wrong == wrong


def test_texts_that_look_alike_are_read_in_the_way_that_explains_them() -> None:
    assert read("aaab", ["aa", "ab"], PONG).wrong == ""
    assert read("aaab", ["aa", "aab"], PONG).again == 1
    assert read("aaab", ["aaaab"], PONG).wrong == "'a', 3 of connection 0, came again"


def test_what_nothing_confirms_may_be_lost_at_a_lost_connection_and_never_comes_again() -> None:
    assert read("abcd", ["a", "d"], NONE).wrong == ""
    assert read("abcd", ["ab"], NONE).wrong == ""
    assert (
        read("abcd", ["ab", "bcd"], NONE).wrong == "'b', 0 of connection 1, came again and was not the last before it"
    )
    assert read("abcd", ["acd"], NONE).wrong == "'c', 1 of connection 0, came while 1 should have been next, and is 2"


# How late it came.


def wait_of(produced: float, came: float, lives: list[list[float]], listened: list[list[float]]) -> float:
    return next(wait for wait, _ in waits([Arrival("m", produced, came)], lives, listened))


def test_a_message_waits_while_service_and_desktop_are_both_there() -> None:
    always = [[0.0, 100.0]]
    assert wait_of(10, 13, always, always) == 3
    assert wait_of(10, 13, always, [[0, 9], [12, 100]]) == 1, "the desktop came back"
    assert wait_of(10, 13, [[0, 11], [12.5, 100]], always) == 1.5, "the service was killed in between"
    assert wait_of(10, 13, [[0, 10.9], [12.5, 100]], always) == 0.5, "so soon that no connection could be made"
    assert wait_of(10, 13, [[0, 5], [12, 100]], [[0, 5], [12.5, 100]]) == 0.5, "both were away"
    assert wait_of(10, 13, [[0, 12.9], [14, 100]], always) == pytest.approx(2.9), "it was kept waiting and then killed"
    assert wait_of(10, 14, [[0, 11], [11.1, 12.6], [12.7, 100]], always) == pytest.approx(3.8), "in every life"
    assert wait_of(10, 10, always, always) == 0


def test_a_slow_desktop_is_given_its_time_for_each_message() -> None:
    arrivals = [Arrival(number, 0.0, 0.1 * number) for number in range(1, 51)]
    taken = [arrival.came for arrival in arrivals]
    assert max(wait for wait, _ in waits(arrivals, [[0, 9]], [[0, 9]], taken, pace=0.1)) < 0.01
    assert max(wait for wait, _ in waits(arrivals, [[0, 9]], [[0, 9]])) == 5


# The plan, and the truth.


def test_a_difference_says_where_it_is() -> None:
    assert difference("the same", Truth("the same", 0)) == ""
    assert difference("the sane", Truth("the same", 0)) == ("8 characters shown, 8 expected; from 6 on 'ne' for 'me'")
    assert difference("the same", Truth("the same and more", 0)).startswith(
        "8 characters shown, 17 expected; from 8 on"
    )


def test_a_plan_draws_the_same_again_and_every_desktop_and_kind_of_ids_in_a_long_run() -> None:
    plan = Plan.of(1, 200, 100)
    _, sessions = sessions_of(plan, Random(plan.seed))
    assert sessions_of(plan, Random(plan.seed))[1] == sessions
    drawn = [each for theirs in sessions.values() for each in theirs]
    assert {each.desktop for each in drawn} == set(DESKTOPS)
    assert {account_ids(Plan.of(seed, 200, 100)) for seed in range(3)} == set(known_ids()) - {"none"}
    assert "none" in {each.ids for each in drawn}
    assert {each.desktop for each in drawn if each.last} == set(DESKTOPS)
    assert set(FEATURES) == plan.features
