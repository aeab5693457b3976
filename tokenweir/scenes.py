"""What the demo plays: both vendors' jobs, live, against simulated gateways and a simulated desktop, and then replayed.

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
from connectors.simulator import AgentDesktop, Corpus
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cxone.simulator import SimulatedCXone
from flows import cognigy, cxone
from flows.moderation import Moderator
from flows.replay import replay
from flows.settings import Settings, parse

SCENES = {
    "cxone": {
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
    },
    "cognigy": {
        "account": "429=1:retry-after=1:on=start",
        "blocked": "usage=done",
        "code": "pack=3",
        "hindi": "",
        "refund": "drop=1006@30",
    },
}
"""By vendor: the stream of the simulator's own corpus, and what goes wrong with it (connectors/simulator/faults.py)."""

CUT_SHORT = {"cognigy-refund"}
"""Cognigy knows no continuation: what was lost is said, not invented."""

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
    counts          of both simulated gateways together
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


class OtherSide:
    """The simulated servers, on an event loop of their own."""

    def __init__(self) -> None:
        self.cxone = SimulatedCXone(faults=SCENES["cxone"], token_ttl=3.0, declared_ttl=3_600.0)
        self.cognigy = SimulatedCognigy(faults=SCENES["cognigy"], first_message=True)
        self.desktop = AgentDesktop()
        self._reactor = Reactor()

    def __enter__(self) -> OtherSide:
        for server in (self.cxone, self.cognigy, self.desktop):
            self._reactor.run(server.start())
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.cxone, self.cognigy, self.desktop):
            self._reactor.run(server.close())
        self._reactor.close()

    def settings(self, vendor: str, data_dir: Path) -> Settings:
        account = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        template = {"prompt": "{prompt}", "dialog_id": "{dialog_id}"}
        return parse(
            {
                "job": {"data_dir": str(data_dir), "lane": vendor, "epoch": 0.25},
                "cxone": {
                    "base_url": self.cxone.url,
                    "resumes": "repeats",
                    **account,
                },  # some of SCENES do, under other ids
                "cognigy": {"base_url": self.cognigy.url, "template": template, **account},
                "desktops": {"default": {"url": self.desktop.url}},
                "window": {"timeout": WINDOW_TIMEOUT},
                "moderation": {"blocklist": list(BLOCKED)},
                "prices": PRICES,
            },
            vendor=vendor,
        )


def play(data_dir: Path, show: Callable[[Message], None]) -> Report:
    """Play the demo in `data_dir`, which must be empty, absent, or an earlier demo's (which goes)."""
    _clear(data_dir)
    corpus = Corpus.builtin()
    transcripts: list[Transcript] = []
    replayed: list[bytes] = []
    recordings: list[Path] = []
    with OtherSide() as other:
        for vendor, make in (("cxone", cxone.job), ("cognigy", cognigy.job)):
            settings = other.settings(vendor, data_dir)
            shows = ConsoleSink(show, vendor)
            job = make(settings, requests=_requests(vendor), extra={"show": shows})
            job.run()
            shows.check()
            recording = data_dir / "recordings" / f"{vendor}.jsonl"
            job.source.record(recording)
            recordings.append(recording)
            replay(recording, settings, lambda message: replayed.append(encode_message(message)))
            transcripts += [_compare(vendor, name, other, corpus, settings) for name in SCENES[vendor]]
        shown = sorted(each.raw.encode() for each in other.desktop.received)
        counts = Counter(other.cxone.counts) + Counter(other.cognigy.counts)
    return Report(transcripts, len(shown), _compare_bytes(sorted(replayed), shown), dict(counts), data_dir, recordings)


def _requests(vendor: str) -> list[SessionRequest]:
    return [
        SessionRequest(
            session_id=f"{vendor}-{name}",
            prompt=f"stream {name}",
            dialog_id=name,
            language=LANGUAGES.get(name),
            tenant=TENANTS[place % 2],
            model=MODELS[place // 2 % 2],
        )
        for place, name in enumerate(SCENES[vendor])
    ]


def _compare(vendor: str, name: str, other: OtherSide, corpus: Corpus, settings: Settings) -> Transcript:
    """What the desktop shows, against the stream's text moderated in one piece."""
    session_id = f"{vendor}-{name}"
    moderator = Moderator(settings.moderation)
    expected = moderator.feed(corpus.text(name)) + moderator.flush()
    shown = other.desktop.transcript(session_id)
    if not other.desktop.is_whole(session_id):
        return Transcript(session_id, shown, "messages are missing")
    if session_id in CUT_SHORT:
        fallback = settings.fallback.text("interrupted", None)
        cut = shown.removesuffix(fallback)
        whole = shown.endswith(fallback) and expected.startswith(cut)
    else:
        whole = shown == expected
    if vendor == "cognigy":
        stored = [values["llm_response"] for values in other.cognigy.variables.get(name, [])]
        if stored != [shown]:
            return Transcript(session_id, shown, "the dialog's variables are not what was shown")
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
