"""The demo: the main job, live, against the simulated vendor and a simulated desktop, and then replayed.

Rules
- Everything is real but the other side: HTTP, WebSocket, files, DuckDB. Nothing leaves loopback.
- The truth is known: each transcript must be its stream's text, moderated in one piece; and the replay of the
  recording must give the bytes that the desktop read off its socket.
- A difference is reported, never smoothed over.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from connectors.console import ConsoleSink
from connectors.errors import DataDirError
from connectors.reactor import Reactor
from connectors.records import Message, encode_message
from connectors.sessions import SessionRequest
from connectors.simulator import AgentDesktop, Corpus, CXoneGateway
from connectors.simulator.gateway import CLIENT_ID, CLIENT_SECRET
from flows import cxone
from flows.moderation import Moderator
from flows.replay import replay
from flows.settings import Settings, parse

SCENES = {
    "refund": "",
    "account": "drop=rst@40,repeat=4",
    "blocked": "drop=end@12:revoke,repeat=3:ids=new",
    "code": "429=1:retry-after=1:on=start",
    "abbreviations": "eol=crlf,comments=3,lines",
    "japanese": "pack=3",
    "bytes": "split=2,drop=fin@9",
    "slow": "",
    "emoji": "ids=stream,drop=fin@10,repeat=5",
    "german": "503=1",
    "chinese": "",
}
"""Stream of the simulator's own corpus, and what goes wrong with it (connectors/simulator/faults.py)."""

LANGUAGES = {"japanese": "ja", "german": "de", "chinese": "zh"}
BLOCKED = ("frobnicate",)
WINDOW_TIMEOUT = 2.0
MARKER = "tokenweir-demo"


class Transcript(msgspec.Struct, frozen=True):
    """What one session came out as. `differs` says how it is not what it must be; empty if it is."""

    session_id: str
    text: str
    differs: str


class Report(msgspec.Struct, frozen=True):
    """What the demo saw.

    messages  frames that the desktop read off its socket, and the replay gave
    counts    of the simulated gateway
    """

    transcripts: list[Transcript]
    messages: int
    replay_differs: str
    counts: dict[str, int]
    data_dir: Path
    recording: Path

    @property
    def failed(self) -> bool:
        return bool(self.replay_differs) or any(each.differs for each in self.transcripts)


def run(data_dir: Path, show: Callable[[Message], None]) -> Report:
    """Run the demo in `data_dir`, which must be empty, absent, or an earlier demo's (which goes)."""
    _clear(data_dir)
    servers_reactor = Reactor()
    gateway = CXoneGateway(Corpus.builtin(), faults=SCENES, token_ttl=3.0, declared_ttl=3_600.0)
    desktop = AgentDesktop()
    servers = AsyncExitStack()
    try:
        servers_reactor.run(_start(servers, gateway, desktop))
        settings = _settings(data_dir, gateway.url, desktop.url)
        requests = [
            SessionRequest(session_id=f"demo-{name}", prompt=f"stream {name}", language=LANGUAGES.get(name))
            for name in SCENES
        ]
        job = cxone.job(settings, requests=requests, extra={"show": ConsoleSink(show)})
        recording = data_dir / "recordings" / "demo.jsonl"
        job.run()
        for fault in job.faults:
            raise fault
        job.source.record(recording)
    finally:
        servers_reactor.run(servers.aclose())
        servers_reactor.close()
    shown = sorted(each.raw.encode() for each in desktop.received)
    return Report(
        transcripts=[_compare(name, desktop, gateway.corpus, settings) for name in SCENES],
        messages=len(shown),
        replay_differs=_compare_replay(recording, settings, shown),
        counts=dict(gateway.counts),
        data_dir=data_dir,
        recording=recording,
    )


def _settings(data_dir: Path, cxone_url: str, desktop_url: str) -> Settings:
    return parse(
        {
            "job": {"data_dir": str(data_dir), "epoch": 0.25},
            "cxone": {"base_url": cxone_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            "desktops": {"default": {"url": desktop_url}},
            "window": {"timeout": WINDOW_TIMEOUT},
            "moderation": {"blocklist": list(BLOCKED)},
        }
    )


async def _start(servers: AsyncExitStack, gateway: CXoneGateway, desktop: AgentDesktop) -> None:
    await servers.enter_async_context(gateway)
    await servers.enter_async_context(desktop)


def _compare(name: str, desktop: AgentDesktop, corpus: Corpus, settings: Settings) -> Transcript:
    session_id = f"demo-{name}"
    moderator = Moderator(settings.moderation)
    text = corpus.text(name)
    expected = moderator.feed(text) + moderator.flush()
    shown = desktop.transcript(session_id)
    differs = ""
    if not desktop.is_whole(session_id):
        differs = "messages are missing"
    elif shown != expected:
        at = next((i for i, (a, b) in enumerate(zip(shown, expected, strict=False)) if a != b), -1)
        differs = f"the text differs at character {at if at >= 0 else min(len(shown), len(expected))}"
    elif moderator.findings and shown == text:
        differs = "nothing was redacted"
    return Transcript(session_id, shown, differs)


def _compare_replay(recording: Path, settings: Settings, shown: list[bytes]) -> str:
    replayed: list[bytes] = []
    replay(recording, settings, lambda message: replayed.append(encode_message(message)))
    if sorted(replayed) == shown:
        return ""
    return f"{len(set(replayed) ^ set(shown))} of {len(shown)} messages are not the same bytes"


def _clear(data_dir: Path) -> None:
    """Make room for a demo, but never remove what is not one's."""
    if data_dir.exists() and any(data_dir.iterdir()):
        if not (data_dir / MARKER).exists():
            raise DataDirError(f"{data_dir} is not empty and not of a demo; give the demo a folder of its own")
        shutil.rmtree(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / MARKER).touch()
