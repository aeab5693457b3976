"""What the demo plays: a job of each vendor, live, against its simulated server and a simulated desktop, then replayed.

Rules
- Everything is real but the other side: HTTP, WebSocket, files, DuckDB. Nothing leaves loopback.
- The truth is known: each transcript must be its stream's text, moderated in one piece; and the replay of the
  recording must give the bytes that the desktop read off its socket.
- A difference is reported, never smoothed over.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from connectors.console.sink import ConsoleSink
from connectors.errors import DataDirError
from connectors.job.requests import SessionRequest
from connectors.log.records import Message, encode_message
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop
from connectors.simulator.vendor import SimulatedVendor
from connectors.vendors.base import Scene, Vendor
from connectors.vendors.registry import known
from flows.live import LiveJob
from flows.moderation import Moderator
from flows.replay import replay
from flows.settings import Settings, parse

LANGUAGES = {"japanese": "ja", "german": "de", "chinese": "zh", "hindi": "hi"}
TENANTS, MODELS = ("acme", "globex"), ("gpt-4", "gpt-4-turbo")
"""Sessions are of these in turn, so that each of the four pairs has some."""

PRICES = {
    "gpt-4": [
        {"prompt": "0.03", "completion": "0.06"},
        {"prompt": "0.02", "completion": "0.05", "since": "2026-07-01"},
    ],
    "gpt-4-turbo": [{"prompt": "0.01", "completion": "0.03"}],
}
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

    messages        that the desktop read off its socket, and the replays gave
    replay_differs  how the replays are not the same bytes; empty if they are
    counts          of all simulated vendors together
    """

    transcripts: list[Transcript]
    messages: int
    replay_differs: str
    counts: dict[str, int]
    data_dir: Path
    recordings: list[Path]

    @property
    def failed(self) -> bool:
        return bool(self.replay_differs) or any(each.differs for each in self.transcripts)


class Scenes:
    """The vendors that have something to play, their simulated servers and a desktop, on an event loop of their own."""

    def __init__(self) -> None:
        self.of = {vendor: scene for vendor in known().values() if (scene := vendor.scene()) is not None}
        self.servers = {
            vendor: vendor.simulator(faults=scene.faults, **scene.options) for vendor, scene in self.of.items()
        }
        self.desktop = AgentDesktop()
        self._all: tuple[SimulatedVendor | AgentDesktop, ...] = (*self.servers.values(), self.desktop)
        self._reactor = Reactor()

    def __enter__(self) -> Scenes:
        for server in self._all:
            self._reactor.run(server.start())
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._all:
            self._reactor.run(server.close())
        self._reactor.close()

    def settings(self, vendor: Vendor, data_dir: Path) -> Settings:
        tree = {
            "job": {"data_dir": str(data_dir), "lane": vendor.name, "epoch": 0.25},
            "desktops": {"default": {"url": self.desktop.url}},
            "window": {"timeout": WINDOW_TIMEOUT},
            "moderation": {"blocklist": list(BLOCKED)},
            "prices": PRICES,
            **self.of[vendor].settings,
        }
        return parse(tree, vendor.simulated(self.servers[vendor].url), vendor=vendor.name)


def play(data_dir: Path, show: Callable[[Message], None]) -> Report:
    """Play the demo in `data_dir`, which must be empty, absent, or an earlier demo's (which goes)."""
    _clear(data_dir)
    transcripts: list[Transcript] = []
    replayed: list[bytes] = []
    recordings: list[Path] = []
    with Scenes() as scenes:
        for vendor, scene in scenes.of.items():
            settings = scenes.settings(vendor, data_dir)
            shows = ConsoleSink(show, vendor.name)
            job = LiveJob(vendor, settings, requests=_requests(vendor, scene), extra={"show": shows})
            job.run()
            shows.check()
            recording = data_dir / "recordings" / f"{vendor.name}.jsonl"
            job.source.record(recording)
            recordings.append(recording)
            replay(recording, settings, lambda message: replayed.append(encode_message(message)))
            transcripts += [_compare(vendor, name, scenes, settings) for name in scene.faults]
        shown = sorted(each.raw.encode() for each in scenes.desktop.received)
        counts = sum((Counter(server.counts) for server in scenes.servers.values()), Counter[str]())
    return Report(transcripts, len(shown), _compare_bytes(sorted(replayed), shown), dict(counts), data_dir, recordings)


def _requests(vendor: Vendor, scene: Scene) -> list[SessionRequest]:
    return [
        SessionRequest(
            session_id=f"{vendor.name}-{name}",
            prompt=f"stream {name}",
            dialog_id=name,
            language=LANGUAGES.get(name),
            tenant=TENANTS[place % 2],
            model=MODELS[place // 2 % 2],
        )
        for place, name in enumerate(scene.faults)
    ]


def _compare(vendor: Vendor, name: str, scenes: Scenes, settings: Settings) -> Transcript:
    """What the desktop shows, against the stream's text moderated in one piece."""
    session_id, server, scene = f"{vendor.name}-{name}", scenes.servers[vendor], scenes.of[vendor]
    moderator = Moderator(settings.moderation)
    expected = moderator.feed(server.corpus.text(name)) + moderator.flush()
    shown = scenes.desktop.transcript(session_id)
    if not scenes.desktop.is_whole(session_id):
        return Transcript(session_id, shown, "messages are missing")
    if name in scene.cut_short:
        texts = settings.fallback
        fallback = texts.text("interrupted", LANGUAGES.get(name)) if texts.serves(vendor) else ""
        cut = shown.removesuffix(fallback)
        whole = shown.endswith(fallback) and expected.startswith(cut) and "" != cut != expected
    else:
        whole = shown == expected
    if scene.told is not None and scene.told(server, name) != [shown]:
        return Transcript(session_id, shown, "what the vendor was told of it is not what was shown")
    return Transcript(session_id, shown, "" if whole else "the text is not what it must be")


def _compare_bytes(replayed: list[bytes], shown: list[bytes]) -> str:
    if replayed == shown:
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
