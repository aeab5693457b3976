"""flows.recordings.variants: the same stream cut otherwise, or broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import InputError
from flows.recordings import variants
from flows.recordings.outcome import Outcome, outcome
from flows.recordings.variants import Variant
from flows.settings import load
from tokenweir import main

PII = Path("recordings/pii.jsonl")
SETTINGS = load(Path("recordings/settings.toml"), {})


def played(cut: str | None = None, faults: str | None = None, path: Path = PII) -> Outcome:
    return outcome(path, SETTINGS, records=Variant.parse(cut, faults).records(path))


def told(result: Outcome) -> dict[str, list[tuple[str, str]]]:
    return {key[0]: [(message.text, message.closed_by) for message in result.messages[key]] for key in result.keys}


AS_IT_WAS = played()


@settings(max_examples=20, deadline=None)
@given(cut=st.one_of(st.just("char"), st.integers(1, 40).map(str), st.integers(0, 999).map("seed:{}".format)))
def test_sentences_are_the_same_however_the_text_is_cut(cut: str) -> None:
    assert told(played(cut)) == told(AS_IT_WAS)


@pytest.mark.parametrize(
    "faults",
    [
        "drop@12",
        "drop@12:repeat=5",
        "drop@30:repeat=6:ids=new",
        "split=3",
        "drop=rst@12,repeat=5",
        "drop=end@9:times=3",
    ],
)
@pytest.mark.parametrize("cut", [None, "char"])
def test_what_a_gateway_recovers_from_changes_no_message(faults: str, cut: str | None) -> None:
    assert played(cut, faults).messages == played(cut).messages


@pytest.mark.parametrize(
    ("faults", "the_same"),
    [
        ("drop@12:repeat=5:ids=new", "drop=rst@12,repeat=5:ids=new"),
        ("drop@12:repeat=5,drop@30", "repeat=5,drop=fin@12,drop@30:repeat=0"),
        ("lost@12", "drop=fin@12:times=1000000"),
        ("malformed@5,stall=2@9", "malformed=truncated@5,stall=2@9"),
        ("split=3,drop@12", "split=3,pieces=7,429=2:retry-after=1,bom,drop=rst@12,drop=fin@300b"),
    ],
)
def test_both_spellings_of_a_fault_say_the_same(faults: str, the_same: str) -> None:
    changed = [list(Variant.parse(None, each).records(PII)) for each in (faults, the_same)]
    assert changed[0] == changed[1]
    assert changed[0] != list(Variant().records(PII))


def test_what_a_replay_has_no_place_for_is_named() -> None:
    words = "429=2:retry-after=1, drop=fin@300b, stall=inf@3, eol=crlf, stall=1@3"
    assert Variant.parse(None, words).passed_over == ("429=2:retry-after=1", "drop=fin@300b", "stall=inf@3", "eol=crlf")


def test_a_replay_says_what_it_passes_over_and_plays_the_rest() -> None:
    done = CliRunner().invoke(main, ["replay", "--json", "--faults", "429=2,lost@12", str(PII)])
    assert done.exit_code == 0
    assert "429=2" in done.stderr
    assert "lost" not in done.stderr
    assert '"closed_by":"error"' in done.stdout


def test_every_fault_that_the_page_shows_is_one() -> None:
    shown = re.findall(r"^      (\S+)", variants.__doc__ or "", re.MULTILINE)
    assert len(shown) == 8
    assert all(list(Variant.parse(None, each).records(PII)) != list(Variant().records(PII)) for each in shown)


def test_packed_events_and_malformed_ones_change_no_sentence() -> None:
    assert told(played(None, "pack=4")) == told(AS_IT_WAS)
    broken = played(None, "malformed@9")
    assert told(broken) == told(AS_IT_WAS)
    assert len(broken.dead) == 2


def test_a_lost_turn_is_interrupted_and_shows_its_beginning() -> None:
    lost = played(None, "lost@30")
    assert {turn.outcome for turn in lost.turns.values()} == {"interrupted"}
    assert AS_IT_WAS.text("whole").startswith(lost.text("whole")[:20])


def test_a_stall_lets_the_window_go_that_silence_ends() -> None:
    assert "timeout" in {message.closed_by for message in played(None, "stall=2.5@20").messages["whole", 0]}


def test_a_fault_beyond_the_turn_does_not_happen() -> None:
    assert played(None, "lost@9999,stall=3@9999,drop@9999").messages == AS_IT_WAS.messages


@pytest.mark.parametrize(
    ("cut", "faults"),
    [
        ("words", None),
        ("0", None),
        ("seed:x", None),
        (None, "explode@1"),
        (None, "drop"),
        (None, "split@3"),
        (None, "split=1"),
        (None, "stall@3"),
        (None, "drop@3:ids=old"),
        (None, "lost@3:repeat=2"),
    ],
)
def test_what_is_no_variant_is_refused(cut: str | None, faults: str | None) -> None:
    with pytest.raises(InputError):
        Variant.parse(cut, faults)
