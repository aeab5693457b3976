"""Both services killed again and again while everything else goes wrong too: the short run; `make soak` is the long."""

from __future__ import annotations

from pathlib import Path

from tests.system.harness import Plan, Share, run, say

SHORT = Plan(
    seed=20261121,
    cxone=Share(sessions=28, under_way=20, kills=4, tokens=70, life=(0.5, 2.5)),
    cognigy=Share(sessions=12, under_way=8, kills=2, tokens=60, life=(1.0, 4.0)),
    pace=0.05,
)


def test_no_kill_loses_or_repeats_a_sentence_or_a_row(tmp_path: Path) -> None:
    report = run(SHORT, tmp_path)
    for line in report.lines():
        say(line)
    assert report.differences == []
    assert report.contradictions == 0
    assert len(report.kills) == SHORT.cxone.kills + SHORT.cognigy.kills
    assert max(report.mid_stream["cxone"]) >= 10
