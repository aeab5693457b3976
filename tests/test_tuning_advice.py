"""analytics.tuning: goals, the front, the recommendation, how sure it is, and the page."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from analytics.tuning import goal as goals
from analytics.tuning import tuner
from analytics.tuning.advice import advise, front, in_words, toml
from analytics.tuning.figures import NAMES, Figure, Figures
from analytics.tuning.goal import Limit
from analytics.tuning.grid import around, grid
from analytics.tuning.page import page
from analytics.tuning.streams import Stream, Streams, stream_of
from analytics.tuning.tuner import MAX_SETTINGS, Outcome, tune
from connectors.errors import SettingsError
from flows.moderation import Policy
from flows.settings import parse
from flows.steps.windows import WindowSettings
from tokenweir import main

OFF = Policy(pii=(), blocklist=())
SENTENCE = "One of them is here now. "


def stream(session: str, text: str = SENTENCE * 6, gap: int = 30_000, **of: str) -> Stream:
    words = re.findall(r"\S+\s*", text)
    made = stream_of(session, [(i * gap, word) for i, word in enumerate(words)], len(words) * gap, len(words), **of)
    assert isinstance(made, Stream)
    return made


def streams(count: int = 12) -> Streams:
    random = np.random.default_rng(1)
    return Streams([stream(f"s-{i}", gap=int(random.integers(10, 200)) * 1_000) for i in range(count)])


def found(count: int = 12) -> Outcome:
    tried = [WindowSettings(min_chars=n, timeout=t) for n in (0, 40, 80) for t in (5.0, 0.1)]
    return tune(streams(count), tried, OFF)


@pytest.mark.parametrize(
    ("text", "limits", "best"),
    [
        (goals.DEFAULT, (Limit("first_p95", 1, 400.0),), "messages"),
        ("First words p50 under 1.5 s", (Limit("first_p50", 1, 1_500.0),), "messages"),
        ("delay p99 at most 2s, shortest delay", (Limit("delay_p99", 1, 2_000.0),), "delay_p95"),
        ("reduction at least 90%, fewest broken sentences", (Limit("reduction", -1, 0.9),), "broken"),
        ("messages below 10, earliest first words", (Limit("messages", 1, 10.0),), "first_p95"),
    ],
)
def test_a_goal_is_said_in_words(text: str, limits: tuple[Limit, ...], best: str) -> None:
    goal = goals.parse(text)
    assert (goal.limits, goal.best) == (limits, best)


@pytest.mark.parametrize("text", ["be quick", "delay within 5", "messages within 4 ms", "delay within . s"])
def test_a_goal_that_is_not_understood_says_what_is(text: str) -> None:
    with pytest.raises(SettingsError, match="--goal"):
        goals.parse(text)


def figures(**values: float) -> Figures:
    zero = dict.fromkeys(NAMES, 0.0)
    return Figures(**{name: Figure(value, value, value) for name, value in {**zero, **values}.items()})


def test_on_the_front_nothing_is_better_in_all() -> None:
    points = [(10.0, 500.0), (20.0, 100.0), (20.0, 100.0), (15.0, 600.0), (30.0, 99.0)]
    made = [figures(messages=messages, delay_p95=delay) for messages, delay in points]
    assert front(made, ("messages", "delay_p95")) == (0, 1, 4)


def test_recommended_is_the_least_of_what_meets_the_limits() -> None:
    outcome = found()
    goal = goals.parse("delay within 2500 ms, fewest messages")
    advice = advise(outcome, goal)
    met = [i for i, each in enumerate(outcome.figures) if each.delay_p95.value <= 2_500]
    assert advice.met
    assert advice.chosen in met
    assert outcome.figures[advice.chosen].messages.value == min(outcome.figures[i].messages.value for i in met)
    assert advice.chosen in advice.front


def test_where_nothing_meets_the_goal_the_nearest_is_named_so() -> None:
    outcome = found()
    advice = advise(outcome, goals.parse("first words within 1 ms"))
    assert not advice.met
    assert advice.holds == 0
    assert "Nothing that was tried meets" in in_words(outcome, advice)[0]
    least = min(each.first_p95.value for each in outcome.figures)
    assert outcome.figures[advice.chosen].first_p95.value == pytest.approx(least, rel=0.01)


def test_a_few_sessions_are_called_few() -> None:
    few, many = found(12), found(40)
    goal = goals.parse(goals.DEFAULT)
    assert "hint" in " ".join(in_words(few, advise(few, goal)))
    assert "hint" not in " ".join(in_words(many, advise(many, goal)))


def test_the_bounds_are_about_the_value_and_the_same_for_a_seed() -> None:
    once, again = found(), found()
    assert once.figures == again.figures
    for each in once.figures:
        for name in ("messages", "delay_p95", "first_p50"):
            figure = getattr(each, name)
            assert figure.low <= figure.value <= figure.high
    assert once.figures[0].delay_p95.low < once.figures[0].delay_p95.high


def test_the_figures_do_not_depend_on_how_sessions_are_dealt() -> None:
    tried = [WindowSettings(), WindowSettings(min_chars=80)]
    values = [
        [[getattr(each, name).value for name in NAMES] for each in tune(streams(), tried, OFF, seed=seed).figures]
        for seed in (1, 2)
    ]
    assert np.array(values[0]) == pytest.approx(np.array(values[1]))


def test_weighed_by_tenant_every_tenant_counts_alike() -> None:
    short, long = "One. Two here. ", SENTENCE * 10
    mixed = Streams(
        [stream(f"a-{i}", short, tenant="a") for i in range(9)]
        + [stream("b-1", long, tenant="b"), stream("b-2", long, tenant="b")]
    )
    [plain] = tune(mixed, [WindowSettings()], OFF).figures
    [even] = tune(mixed, [WindowSettings()], OFF, by="tenant").figures
    [heavy] = tune(mixed, [WindowSettings()], OFF, by="tenant", shares={"b": 3.0}).figures
    assert plain.messages.value == pytest.approx((9 * 2 + 2 * 10) / 11)
    assert even.messages.value == pytest.approx((2 + 10) / 2)
    assert heavy.messages.value == pytest.approx((2 + 3 * 10) / 4)


def test_a_tenant_that_is_not_there_cannot_be_weighed() -> None:
    with pytest.raises(SettingsError, match="'x'"):
        tune(streams(), [WindowSettings()], OFF, by="tenant", shares={"x": 1.0})


def test_too_many_settings_are_refused() -> None:
    with pytest.raises(SettingsError, match="too many"):
        tune(streams(1), [WindowSettings()] * (MAX_SETTINGS + 1), OFF)


def test_too_many_tokens_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "MAX_TOKENS", 35)
    with pytest.raises(SettingsError, match="36 tokens"):
        tune(streams(1), [WindowSettings()], OFF)


def test_the_grid_tries_what_is_in_force_first_and_nothing_twice() -> None:
    base = WindowSettings(timeout=3.25)
    tried = grid(base)
    assert tried[0] == base
    assert len(set(tried)) == len(tried)
    assert 150 <= len(tried) <= 200
    assert len(grid(base, {"mode": ["none"], "timeout": [1.0, 2.0]})) == 2


@pytest.mark.parametrize("axes", [{"speed": [1]}, {"timeout": [-1.0]}, {"mode": ["word"]}])
def test_an_axis_that_is_none_is_refused(axes: dict[str, list[Any]]) -> None:
    with pytest.raises(SettingsError, match=next(iter(axes))):
        grid(WindowSettings(), axes)


def test_the_search_goes_on_between_what_was_tried() -> None:
    tried = grid(WindowSettings(), {"timeout": [1.0, 2.0, 4.0], "min_chars": [0, 40]})
    best = WindowSettings(timeout=2.0)
    finer = around(best, tried)
    assert {each.timeout for each in finer} == {1.5, 2.0, 3.0}
    assert {each.min_chars for each in finer} == {0, 20}
    assert not set(finer) & set(tried)


@pytest.mark.parametrize("setting", grid(WindowSettings())[::20])
def test_the_section_to_paste_is_the_setting(setting: WindowSettings) -> None:
    loaded = parse(tomllib.loads(toml(setting))).window
    same = ("mode", "max_chars") if setting.mode == "none" else WindowSettings.__struct_fields__
    assert [getattr(loaded, name) for name in same] == [getattr(setting, name) for name in same]


def test_the_page_holds_everything_and_asks_for_nothing() -> None:
    tenants = Streams([stream(f"s-{i}", tenant="</script><b>") for i in range(4)])
    outcome = tune(tenants, [WindowSettings(), WindowSettings(min_chars=80)], OFF, by="tenant")
    html = page(outcome, advise(outcome, goals.parse(goals.DEFAULT)))
    assert "http" not in re.sub(r"http://www.w3.org/2000/svg|http-equiv", "", html)
    assert "</script><b>" not in html
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    told = json.loads(data)
    assert told["groups"] == {"</script><b>": 4}
    assert len(told["settings"]) == 2
    assert SENTENCE not in html


def tokens(path: Path) -> Path:
    rows = [
        {"id": each.session, "tokens": list(each.pieces()), "t_ms": (each.times / 1000).tolist()}
        for each in streams().streams
    ]
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


def test_the_command_recommends_and_gives_the_section(tmp_path: Path) -> None:
    runner = CliRunner()
    arguments = [
        "tune",
        str(tokens(tmp_path / "a.jsonl")),
        "--try",
        "min_chars=0,40",
        "--try",
        "timeout=1,5",
        "--refine",
        "1",
    ]
    shown = runner.invoke(main, [*arguments, "--html", str(tmp_path / "p.html")])
    assert shown.exit_code == 0, shown.output
    assert "[window]" in shown.output
    assert (tmp_path / "p.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    told = json.loads(runner.invoke(main, [*arguments, "--json"]).stdout)
    assert told["sessions"] == 12
    assert told["toml"] in shown.output


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--goal", "fast"], 3),
        (["--try", "x"], 3),
        (["--try", "timeout=x"], 3),
        (["--weight", "a=1"], 2),
        (["--by", "tenant", "--weight", "a=-1"], 3),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, more: list[str], code: int) -> None:
    assert CliRunner().invoke(main, ["tune", str(tokens(tmp_path / "a.jsonl")), *more]).exit_code == code
