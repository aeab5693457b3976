"""What a session must have shown: its stream's text, moderated in one piece.

Rules
- What came under one id for the whole stream is what was logged of it: such a vendor goes on behind what it had sent,
  and what was on the way at a kill is lost to both sides. Of that there may be little.
- A stream that could go on is shown whole. One that cannot (Cognigy's, and one without ids) and was cut by a kill or a
  stop is what had come of it, moderated, and Cognigy's fallback; it says that a restart cut it.
- Nothing else ends a turn: no viewer, no full disk, no console that nobody reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from connectors.log.files import LogReader
from connectors.log.records import FRAME, OPEN
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cxone.contract import Decoder
from flows.moderation import Moderator
from flows.settings import Settings
from tests.system.harness.plan import Session

ON_THE_WAY: Final = 100
"""Characters that a break may lose on the way, at most: a second or two of a stream."""


class Truth(NamedTuple):
    """A session's text as it must be shown, and how many findings must be counted; or why its end is wrong."""

    text: str
    findings: int
    wrong: str = ""


def truth_of(session: Session, turn: dict[str, Any], settings: Settings, logged: Logged | None) -> Truth:
    """`turn` is the row of its only turn; `logged` what was logged of a text where that counts (`logged_of`)."""
    finished = turn["outcome"] == "finished"
    came = session.text if finished else session.text[: turn["chars_received"]]
    if logged is not None:
        came = logged.text
        if finished and len(session.text) - len(came) > ON_THE_WAY * logged.breaks:
            return Truth(
                "", 0, f"{len(came)} of {len(session.text)} characters were logged, over {logged.breaks} breaks"
            )
    moderator = Moderator(settings.moderation)
    text = moderator.feed(came) + moderator.flush()
    findings = sum(each.action != "flag" for each in moderator.findings)
    if not finished:
        cannot_go_on = session.vendor == "cognigy" or session.ids == "none"
        if not cannot_go_on or turn["error_kind"] != "restarted":
            return Truth("", 0, f"it ended as {turn['outcome']} ({turn['error_kind']})")
        if session.vendor == "cognigy":
            text += settings.fallback.text(turn["outcome"], None)
    return Truth(text, findings)


class Logged(NamedTuple):
    """What the log has of a turn's text, and how often the vendor was asked to go on with it."""

    text: str
    breaks: int


def logged_of(log: Path, sessions: Iterable[Session]) -> dict[str, Logged]:
    """What was logged of the sessions whose vendor goes on behind what it had sent, and repeats nothing."""
    tokens: dict[str, list[str]] = {each.name: [] for each in sessions if each.ids == "shared" and not each.repeats}
    breaks = Counter[str]()
    decoders = {name: Decoder() for name in tokens}
    for record, _ in LogReader(log).read() if tokens else ():
        if record.s not in tokens:
            continue
        if record.k == OPEN:
            breaks[record.s] += 1
            decoders[record.s].restart()
        elif record.k == FRAME and isinstance(record.d, str):
            tokens[record.s] += [t for delta in decoders[record.s].feed(record.d, record.id) for t in delta.tokens]
    return {name: Logged("".join(each), breaks[name] - 1) for name, each in tokens.items()}


def difference(shown: str, truth: Truth) -> str:
    """Where a text is not the truth; empty where it is."""
    if shown == truth.text:
        return ""
    unlike = (at for at, pair in enumerate(zip(shown, truth.text, strict=False)) if len(set(pair)) > 1)
    at = next(unlike, min(len(shown), len(truth.text)))
    places = f"{shown[at : at + 40]!r} for {truth.text[at : at + 40]!r}"
    return f"{len(shown)} characters shown, {len(truth.text)} expected; from {at} on {places}"


def dialog_difference(session: Session, shown: str, cognigy: SimulatedCognigy) -> str:
    """Whether a Cognigy dialog's variables hold what was shown."""
    if session.vendor != "cognigy":
        return ""
    stored = [values["llm_response"] for values in cognigy.variables.get(session.name, [])]
    if stored and set(stored) == {shown}:
        return ""
    return f"its dialog's variables were set {len(stored)} times, and not to what was shown"
