"""Faults as text, as data, and drawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import SettingsError
from connectors.simulator import Faults
from connectors.simulator import faults as module
from connectors.simulator.draws import draw_faults
from connectors.simulator.faults import FOREVER, Drop, Ids, Malformed, Place, Progress, Refusal, Repeat, Stall


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", Faults()),
        (" , ", Faults()),
        ("429=2:retry-after=1", Faults(refusals=(Refusal(429, 2, retry_after=1),))),
        ("503:on=token:retry-date=2", Faults(refusals=(Refusal(503, on="token", retry_date=2),))),
        ("drop=fin@12, drop=rst@300b", Faults(drops=(Drop("fin", Place(12)), Drop("rst", Place(300, "byte"))))),
        ("drop=end@+2:times=3", Faults(drops=(Drop("end", Place(2, "more"), 3),))),
        ("drop=error@last:code=over_loaded", Faults(drops=(Drop("error", Place(0, "last"), code="over_loaded"),))),
        ("drop=fin@9:revoke:refuse=2", Faults(drops=(Drop("fin", Place(9), revoke=True, refuse=2),))),
        ("stall=inf@0", Faults(stalls=(Stall(float("inf"), Place(0)),))),
        ("repeat=3:ids=new,ids=event:every=2", Faults(repeat=Repeat(3, "new"), ids=Ids(every=2))),
        ("ids=data:named=unique:odd", Faults(ids=Ids("data", named="unique", odd=True))),
        ("ids=event:named=shared:size=4:again", Faults(ids=Ids(named="shared", size=4, again=True))),
        ("drop@12", Faults(drops=(Drop("fin", Place(12)),))),
        ("drop@12:repeat=3:ids=new", Faults(drops=(Drop("fin", Place(12), repeat=3, ids="new"),))),
        ("drop=rst@12:repeat=0,repeat=3", Faults(drops=(Drop("rst", Place(12), repeat=0),), repeat=Repeat(3))),
        ("malformed@5", Faults(malformed=(Malformed("truncated", Place(5)),))),
        ("lost@last", Faults(drops=(Drop("fin", Place(0, "last"), FOREVER),))),
        ("raw", Faults(raw=True)),
        ("bom,lines,eol=cr,pack=2", Faults(bom=True, lines=True, eol="cr", pack=2)),
    ],
)
def test_faults_are_written_as_text_and_read_back(text: str, faults: Faults) -> None:
    assert Faults.parse(text) == faults
    assert Faults.parse(str(faults)) == faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "not known: a status such as 429, or one of"),
        ("drop", "lacks a value"),
        ("drop=fin", "lacks a place, such as @12"),
        ("drop=up@3", "how is one of fin, rst, end, error"),
        ("drop=error@30b", "token"),
        ("drop=fin@x", "a place is a token"),
        ("drop=fin@+3b", "a place is a token"),
        ("drop=fin@3:sideways", "takes no 'sideways'"),
        ("drop=error@3:code=a b", "code"),
        ("drop=fin@3:ids=old", "ids is one of same, new"),
        ("lost", "lost@12"),
        ("lost=fin@3", "takes a place and nothing else"),
        ("lost@3:repeat=2", "takes a place and nothing else"),
        ("429=2@4", "takes no place"),
        ("429=0", "times"),
        ("429:on=monday", "on is one of any, start, continue, token"),
        ("999", "status"),
        ("slow=nan", "slow"),
        ("slow=-1", "slow"),
        ("slow=1,slow=2", "given twice"),
        ("eol=lf@3", "neither a place nor options"),
        ("bom=perhaps", "bom"),
        ("big=1@1b", "token"),
        ("x=y=z@@", "a place is"),
        ("a b", "not name=value@place"),
    ],
)
def test_a_wrong_fault_is_named_with_what_it_may_be(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        Faults.parse(text)
    assert "\n" not in str(error.value)


def test_every_fault_that_the_documentation_shows_is_one() -> None:
    table = re.findall("^      (\\S.*)", module.__doc__ or "", re.MULTILINE)
    shown = [text for line in table for text in re.split("  +", line)[:-1]]
    assert len(shown) > 25
    for text in shown:
        assert str(Faults.parse(text))


@given(st.integers(), st.integers(0, 3000))
def test_drawn_faults_are_the_same_for_a_seed_and_have_a_text(seed: int, length: int) -> None:
    drawn = draw_faults(seed, length)
    assert drawn == draw_faults(seed, length)
    assert Faults.parse(str(drawn)) == drawn


def test_what_is_drawn_differs() -> None:
    drawn = [draw_faults(seed, 100) for seed in range(300)]
    assert 60 < drawn.count(Faults()) < 150
    assert {drop.how for faults in drawn for drop in faults.drops} == {"fin", "rst", "end", "error"}
    assert {refusal.status for faults in drawn for refusal in faults.refusals} == {401, 429, 503}


def test_progress_counts_refusals_down_where_they_apply() -> None:
    progress = Progress(Faults.parse("429=2:on=start,500=1:on=continue,503=1,403=1:on=token"))

    def status(on: module.On) -> int | None:
        refusal = progress.refuse(on)
        return refusal and refusal.status

    assert [status("start") for _ in range(4)] == [429, 429, 503, None]
    assert [status("continue") for _ in range(2)] == [500, None]
    assert [status("token") for _ in range(2)] == [403, None]


def test_progress_takes_drops_in_order() -> None:
    progress = Progress(Faults.parse("drop=fin@1:times=2,drop=rst@5"))
    seen = []
    while (drop := progress.drop) is not None:
        seen.append(drop.how)
        progress.dropped()
    assert seen == ["fin", "fin", "rst"]


def test_a_drop_may_say_what_the_continuation_after_it_repeats() -> None:
    progress = Progress(Faults.parse("drop@1:repeat=5:ids=new,drop@2,repeat=2,drop@3:repeat=0"))
    seen = []
    while progress.drop is not None:
        progress.dropped()
        seen.append(progress.faults.repeat)
    assert seen == [Repeat(5, "new"), Repeat(2), Repeat(0)]


def test_latencies_add_up_where_they_apply() -> None:
    progress = Progress(Faults.parse("latency=1,latency=2:on=start,latency=4:on=token"))
    assert [progress.latency(on) for on in ("start", "continue", "token")] == [3, 1, 4]
