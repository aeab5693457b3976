"""One HTML file with everything in it: the front drawn, every setting to be looked at, the section to paste.

Rules
- Self-contained: no network, no script or style from elsewhere; a policy in the page forbids them.
- The data is JSON in the page; names from recordings are shown as text, never as markup.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

from analytics.tuning.advice import Advice, in_words, toml
from analytics.tuning.figures import NAMES
from analytics.tuning.grid import TUNED
from analytics.tuning.tuner import Outcome

_DATA = "/*DATA*/"


def page(outcome: Outcome, advice: Advice) -> str:
    """The page's HTML."""
    template = files("analytics.tuning").joinpath("page.html").read_text(encoding="utf-8")
    data = msgspec.json.encode(as_data(outcome, advice)).decode()
    return template.replace(_DATA, data.replace("<", "\\u003c"), 1)


def as_data(outcome: Outcome, advice: Advice) -> dict[str, Any]:
    """What was found, as plain data: the page's, and `--json`'s."""
    return {
        "goal": advice.goal,
        "words": in_words(outcome, advice),
        "toml": toml(outcome.settings[advice.chosen]),
        "recommended": advice.chosen,
        "met": advice.met,
        "holds": advice.holds,
        "best": advice.best,
        "front": advice.front,
        "sessions": outcome.sessions,
        "turns": outcome.turns,
        "tokens": outcome.tokens,
        "groups": outcome.groups,
        "left_out": outcome.left_out,
        "moderated": outcome.moderated,
        "settings": [
            {
                "window": {name: getattr(setting, name) for name in TUNED},
                "toml": toml(setting),
                "figures": {
                    name: [_rounded(figure.value), _rounded(figure.low), _rounded(figure.high)]
                    for name in NAMES
                    for figure in (getattr(figures, name),)
                },
            }
            for setting, figures in zip(outcome.settings, outcome.figures, strict=True)
        ],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
