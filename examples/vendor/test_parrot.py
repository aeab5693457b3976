"""Parrot against its simulator: what its frames say, and what a job shows and calls it when the connection fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.job.requests import SessionRequest
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.vendors.registry import named
from flows.live import LiveJob
from flows.settings import load

PARROT = named("parrot")
WORDS = ("The ", "parcel ", "left. ", "Write ", "to ", "jane@", "example.com", " then.")
WHOLE = "The parcel left. Write to [REDACTED] then."


@pytest.mark.parametrize(
    ("frame", "tokens", "finished", "malformed"),
    [
        ('{"say": "Hel"}', ("Hel",), False, False),
        ('{"say": "", "over": true}', (), True, False),
        ('{"say": 7}', (), False, True),
        ("<!-- upstream hiccup -->", (), False, True),
    ],
)
def test_what_a_frame_says(frame: str, tokens: tuple[str, ...], finished: bool, malformed: bool) -> None:
    [delta] = PARROT.decoder().feed(frame, None)
    assert (delta.tokens, delta.finished, delta.malformed) == (tokens, finished, malformed)


@pytest.mark.parametrize(
    ("faults", "shown", "outcome"),
    [
        ("", WHOLE, "finished"),
        ("429=1:retry-after=0,503=1,malformed=garbage@2", WHOLE, "finished"),
        ("drop=fin@0", WHOLE, "finished"),
        ("drop=rst@3", "The parcel left. ", "interrupted"),
        ("drop=error@3", "The parcel left. ", "vendor_error"),
    ],
)
def test_a_job_shows_what_was_said_and_how_it_ended(faults: str, shown: str, outcome: str, tmp_path: Path) -> None:
    reactor, desktop = Reactor(), AgentDesktop()
    server = PARROT.simulator(Corpus([TokenStream("words", WORDS)]), faults=faults, speed=0)
    try:
        for each in (server, desktop):
            reactor.run(each.start())
        said = {**PARROT.simulated(server.url), "AGENT_WS_URL": desktop.url, "TOKENWEIR_DATA_DIR": str(tmp_path)}
        settings = load(None, {**said, "TOKENWEIR__PARROT__RETRY_BASE": "0.01"}, vendor="parrot")
        job = LiveJob(PARROT, settings, requests=[SessionRequest(session_id="s", prompt="stream words")])
        job.run()
        assert desktop.transcript("s") == shown
        assert job.outcomes == {outcome: 1}
    finally:
        for each in (server, desktop):
            reactor.run(each.close())
        reactor.close()
