"""The fault harness: both vendors' services as real processes, killed with SIGKILL again and again, and the truth.

Rules
- The services are what a user runs: `tokenweir run VENDOR --settings …`, one data directory, sessions begun over
  HTTP. Vendors and desktops are simulated in this process, and so outlive every kill.
- All that is random comes from the seed; only the machine's own timing does not.
- A kill's figure is the number of sessions that were mid-stream: frames of them were logged in the life that the kill
  ended, and neither their end nor a break after them.
- The end is a comparison with the truth, session by session and row by row. A difference is reported, never smoothed
  over: a text is the stream's own, moderated in one piece; a Cognigy turn that a kill cut is what had been received,
  moderated, and the fallback.

    python -m tests.system.harness --sessions 200 --kills 100 [--seed N] [--streams FILE] [--keep DIR]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.errors import InputError, UpstreamError
from connectors.log import LogReader, Position
from connectors.metrics import open_metrics
from connectors.reactor import Reactor
from connectors.records import CLOSE, ERROR, FRAME
from connectors.simulator import AgentDesktop, Corpus, CXoneGateway, TokenStream
from connectors.simulator.cognigy import SimulatedCognigy
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from flows.moderation import Moderator
from flows.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]
VENDORS = ("cxone", "cognigy")
TICK = 0.02
STUCK_AFTER = 120.0
CROWD = 50
MORE = {"turns": ("outcome", "error_kind", "chars_received", "moderation_blocks")}
"""Columns that are compared beside those that name a row, by table."""

HALF = "half a character"
"""A kill may fall between its parts, and then it is left out."""

ONCE = 6
_SYLLABLES = (
    *(a + b + c for a in "bdfgklmnprstvwzß" for b in "aeiouäöy" for c in "nrlskt"),
    "🚚",
    "今天",
    "の",
    "दिन",
)
_PRIVATE = ("", "", "", "{1}{0}@{1}.org", "{1} frobnicate", "+44 20 79{0} {0}", "No. {0}", "Dr. {1}")

BREAKS = ("fin", "rst", "end")
STORMS = {"": 80, "503=1": 7, "500=1:on=continue": 5, "401=1": 4, "429=1:retry-after=0:on=start": 4}
"""By how often they come. Each slows the whole account down, so that more would leave few sessions mid-stream."""
LIBERTIES = ("", "", "eol=crlf,comments=3", "split=2", "pieces=7", "heartbeat=0.3", "ids=both", "ids=data", "lines")


class Share(msgspec.Struct, frozen=True):
    """One vendor's part of a run.

    sessions   begun in all
    under_way  begun at once; the others follow as kills are done
    kills      with SIGKILL
    tokens     of a stream, about
    life       seconds from the moment it listens to the kill that ends it: at random between these. One kill in
               five comes in the first second and a half after the start, whatever it does then
    """

    sessions: int
    under_way: int
    kills: int
    tokens: int
    life: tuple[float, float]


class Plan(msgspec.Struct, frozen=True):
    """A run of the harness.

    pace     seconds between two tokens of a stream
    streams  tokens of real streams to make the sessions' answers of; without any, text is made up
    """

    seed: int
    cxone: Share
    cognigy: Share
    pace: float = 0.1
    streams: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, seed: int, sessions: int, kills: int, streams: tuple[tuple[str, ...], ...] = ()) -> Plan:
        """A plan in proportion: most kills fall on CXone, whose turns can go on after one."""
        cognigy_sessions, cognigy_kills = sessions * 3 // 10, max(1, kills * 15 // 100)
        cxone_sessions, cxone_kills = sessions - cognigy_sessions, kills - cognigy_kills
        return cls(
            seed,
            Share(cxone_sessions, cxone_sessions * 3 // 4, cxone_kills, max(60, 10 * cxone_kills), (0.3, 2.8)),
            Share(cognigy_sessions, cognigy_sessions // 3, cognigy_kills, 60, (0.5, 4.0 * kills / cognigy_kills)),
            streams=streams,
        )

    def share(self, vendor: str) -> Share:
        return self.cxone if vendor == "cxone" else self.cognigy


class Session(msgspec.Struct):
    """One session of the plan, and where it is shown."""

    vendor: str
    name: str
    prompt: str
    text: str
    desktop: str
    begun: bool = False


class Report(msgspec.Struct):
    """What a run came to. `differences` is empty where all is as it must be.

    mid_stream  by vendor: sessions mid-stream at each kill
    cut         Cognigy turns that a kill interrupted
    repeated    messages that came to a desktop again, byte for byte the same
    """

    seed: int
    mid_stream: dict[str, list[int]] = {}
    seconds: float = 0.0
    sessions: int = 0
    whole: int = 0
    cut: int = 0
    messages: int = 0
    repeated: int = 0
    contradictions: int = 0
    rows: dict[str, int] = {}
    faults: dict[str, int] = {}
    differences: list[str] = []

    @property
    def kills(self) -> list[int]:
        return [count for counts in self.mid_stream.values() for count in counts]

    @property
    def crowded(self) -> int:
        """Kills that fell while `CROWD` or more sessions were mid-stream."""
        return sum(count >= CROWD for count in self.kills)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"seed {self.seed}: {self.sessions} sessions, {len(self.kills)} kill -9, {self.seconds:.0f} s"
        for vendor, counts in self.mid_stream.items():
            tens = sorted(Counter(count // 10 * 10 for count in counts).items())
            spread = " ".join(f"{low}-{low + 9}:{number}" for low, number in tens)
            yield f"mid-stream at a kill, {vendor}: median {statistics.median(counts or [0]):g}; {spread}"
        yield f"{self.crowded} of {len(self.kills)} kills with {CROWD} or more sessions mid-stream"
        yield f"{self.whole} transcripts are their streams' texts, {self.cut} were cut by a kill and say so"
        yield f"{self.messages} messages shown, {self.repeated} came again, {self.contradictions} with another text"
        yield "rows, each once: " + ", ".join(f"{count} {name}" for name, count in self.rows.items())
        yield "what went wrong on the way: " + ", ".join(f"{n} {name}" for name, n in sorted(self.faults.items()))
        yield from (f"DIFFERS {each}" for each in self.differences)


class World:
    """What outlives the kills: both vendors' gateways, and three desktops.

    acks    acknowledges, and is sometimes away
    pongs   only answers pings
    slow    only answers pings, and takes its time
    """

    def __init__(self, corpus: Corpus, pace: float, *, general: str = "") -> None:
        self.cxone = CXoneGateway(corpus, faults=general, token_interval=pace, max_requests=100)
        self.cognigy = SimulatedCognigy(corpus, token_interval=pace, first_message=True, max_requests=100)
        self.desktops = {
            "acks": AgentDesktop(behaviour="ack=3"),
            "pongs": AgentDesktop(behaviour="ack=0"),
            "slow": AgentDesktop(behaviour="ack=0,slow=0.03"),
        }
        self.reactor = Reactor()

    def __enter__(self) -> World:
        for server in (self.cxone, self.cognigy, *self.desktops.values()):
            self.reactor.run(server.start())
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.cxone, self.cognigy, *self.desktops.values()):
            self.reactor.run(server.close())
        self.reactor.close()

    def is_whole(self, session: Session) -> bool:
        return self.desktops[session.desktop].is_whole(session.name)

    def flap(self) -> None:
        """The acknowledging desktop loses every connection, and takes new ones at once or not."""
        self.reactor.call(self.desktops["acks"].die)

    def revive(self) -> None:
        self.reactor.run(self.desktops["acks"].revive())


def write_settings(world: World, data_dir: Path, vendor: str, **more: dict[str, Any]) -> Path:
    """A settings file of one vendor's service; `more` lies over its tables.

    Nothing but the truth's own conditions is unusual: a restart is never the last one allowed, and what moderation
    holds is never given up because a kill made a pause.
    """
    tree: dict[str, dict[str, Any]] = {
        "job": {"data_dir": str(data_dir), "lane": vendor, "epoch": 0.25},
        "frontend": {"port": 0},
        "log": {"rotate_bytes": 1 << 20, "keep_bytes": 64 << 20},
        "cxone": {
            "base_url": world.cxone.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "idle_timeout": 5.0,
            "max_restarts": 10_000,
            "max_retries": 1_000,
            "retry_base": 0.05,
            "retry_cap": 1.0,
        },
        "cognigy": {
            "base_url": world.cognigy.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "overall_timeout": 600.0,
            "max_reconnects": 1_000,
            "max_retries": 1_000,
            "retry_base": 0.05,
            "retry_cap": 1.0,
            "template": {"prompt": "{prompt}", "dialog_id": "{dialog_id}"},
        },
        "dialog": {"retry_base": 0.05},
        "window": {"timeout": 3.0},
        "moderation": {"max_hold_seconds": 3600.0, "blocklist": ["frobnicate"]},
    }
    for name, table in more.items():
        tree[name] = {**tree.get(name, {}), **table}
    desktops = {name: {"url": each.url, "reconnect_max": 0.5} for name, each in world.desktops.items()}
    path = data_dir.with_name(f"{data_dir.name}-{vendor}.toml")
    path.write_text(
        "".join(f"[{name}]\n{_toml(table)}" for name, table in tree.items())
        + "".join(f"[desktops.{name}]\n{_toml(table)}" for name, table in desktops.items()),
        encoding="utf-8",
    )
    return path


class Service:
    """One vendor's service over its lives: started, killed, started again. `errors` is where it writes stderr."""

    def __init__(self, vendor: str, settings: Path, errors: Path, **environment: str) -> None:
        self.vendor = vendor
        self.address = ""
        self._settings = settings
        self._errors = errors
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._begins_at = 0

    def start(self) -> None:
        self.address = ""
        with self._errors.open("ab") as errors:
            self._begins_at = errors.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tokenweir", "run", self.vendor, "--settings", str(self._settings)],
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    @property
    def said(self) -> str:
        """What it wrote to standard error in this life."""
        return self._errors.read_bytes()[self._begins_at :].decode("utf-8", "replace")

    def listens(self) -> bool:
        """Whether it takes sessions. Raises AssertionError where it has ended by itself."""
        if not self.address:
            for line in self.said.splitlines(keepends=True):
                if line.startswith("listening on") and line.endswith("\n"):
                    self.address = line.split()[-1]
        assert self._process is not None
        assert self._process.poll() is None, f"{self.vendor} ended with {self._process.returncode}: {self.said[-2000:]}"
        return bool(self.address)

    def wait_until_it_listens(self, within: float = 60.0) -> None:
        until(self.listens, within)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self, within: float = 60.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(within)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Raises OSError or http.client.HTTPException where it is not there."""
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if data else None
        finally:
            connection.close()

    def begin(self, session: Session) -> bool:
        """Begin the session, unless it is begun; False where that is not known and must be asked again."""
        body = {
            "session_id": session.name,
            "prompt": session.prompt,
            "dialog_id": session.name,
            "desktop": session.desktop,
        }
        try:
            status, answer = self.ask("GET", f"/sessions/{session.name}")
            if status == 404:
                status, answer = self.ask("POST", "/sessions", body)
        except (OSError, http.client.HTTPException):
            return False
        assert status in (200, 202), f"{session.name}: {status} {answer}"
        return True


class Mid:
    """How many sessions were mid-stream when a life ended: reads the log on from where the last life ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._position: Position | None = None

    def count(self) -> int:
        flowing: set[tuple[str, int]] = set()
        with contextlib.suppress(InputError):  # no log yet
            for record, after in LogReader(self._folder).read(self._position):
                self._position = after
                if record.k == FRAME:
                    flowing.add((record.s, record.n))
                elif record.k in (CLOSE, ERROR):
                    flowing.discard((record.s, record.n))
        return len(flowing)


def sessions_of(plan: Plan, chance: random.Random) -> tuple[Corpus, dict[str, list[Session]]]:
    """A stream of its own for each session, with faults of its own."""
    streams: list[TokenStream] = []
    sessions: dict[str, list[Session]] = {vendor: [] for vendor in VENDORS}
    for vendor in VENDORS:
        for number in range(plan.share(vendor).sessions):
            wanted = round(plan.share(vendor).tokens * chance.uniform(0.8, 1.2))
            tokens = joined_streams(plan.streams, wanted, chance) if plan.streams else tokens_of(wanted, chance)
            stream = TokenStream(f"{vendor}-{number}", tuple(tokens))
            streams.append(stream)
            faults = faults_of(vendor, chance, len(tokens))
            prompt = f"stream {stream.name}" + (f" with {faults}" if faults else "")
            desktop = chance.choices(("acks", "pongs", "slow"), (12, 2, 1))[0]
            sessions[vendor].append(Session(vendor, stream.name, prompt, stream.text, desktop))
    return Corpus(streams), sessions


def tokens_of(wanted: int, chance: random.Random) -> list[str]:
    """About so many tokens of text in which no `ONCE` characters come twice.

    After a continuation under ids never seen, text that came before looks like a repetition and may be dropped
    (flows/reassembly.py): that is a question of its own (test_faults.py), which kills shall not ask here by chance.
    """
    tokens: list[str] = []
    text, seen = "", set[str]()
    while len(tokens) < wanted:
        words = ["".join(chance.choices(_SYLLABLES, k=chance.randrange(1, 4))) for _ in range(chance.randrange(4, 12))]
        private = chance.choice(_PRIVATE).format(chance.randrange(1_000, 10_000), chance.choice(_SYLLABLES) * 2)
        words.insert(chance.randrange(len(words)), private)
        sentence = " ".join(words).capitalize() + chance.choice((". ", "! ", "? ", ".\n", "。"))
        longer = text[1 - ONCE :] + sentence
        pieces = [longer[at : at + ONCE] for at in range(len(longer) - ONCE + 1)]
        if len(set(pieces)) < len(pieces) or not seen.isdisjoint(pieces):
            continue
        seen.update(pieces)
        text += sentence
        while sentence:
            size = chance.randrange(2, 7)
            tokens.append(sentence[:size])
            sentence = sentence[size:]
    return tokens


def joined_streams(streams: Sequence[Sequence[str]], wanted: int, chance: random.Random) -> list[str]:
    """At least so many tokens: real streams, one behind the other."""
    tokens: list[str] = []
    while len(tokens) < wanted:
        tokens += chance.choice(streams)
    return tokens


def faults_of(vendor: str, chance: random.Random, length: int) -> str:
    """What goes wrong with one stream beside the kills: what a careful client survives with the whole text."""
    if vendor == "cognigy":  # a break would be an interruption of its own
        return chance.choice(("", "pack=3", "pieces=7", "stall=1@5", "heartbeat=0.3", "usage=each"))
    places = sorted(chance.sample(range(length), 3))
    breaks = [f"drop={chance.choice(BREAKS)}@{place}" for place in places[: chance.randrange(4)]]
    storm = chance.choices(list(STORMS), list(STORMS.values()))[0]
    faults = [*breaks, storm, chance.choice(LIBERTIES), chance.choice(("", f"stall=1@{length // 2}"))]
    if breaks:
        faults.append(f"repeat={chance.randrange(9)}")
    if chance.random() < 0.1:
        faults.append(f"drop=fin@{length // 3}:revoke")
    return ",".join(filter(None, faults))


def run(plan: Plan, folder: Path, tell: Callable[[str], object] = lambda _: None) -> Report:
    """Run the plan in an empty folder."""
    chance = random.Random(plan.seed)
    corpus, sessions = sessions_of(plan, chance)
    data_dir = folder / "data"
    report = Report(plan.seed, {vendor: [] for vendor in VENDORS})
    begun = time.monotonic()
    with World(corpus, plan.pace, general="503=2:on=token") as world, contextlib.ExitStack() as stack:
        paths = {vendor: write_settings(world, data_dir, vendor) for vendor in VENDORS}
        drivers = []
        for vendor in VENDORS:
            service = Service(vendor, paths[vendor], folder / f"{vendor}.stderr")
            stack.callback(service.close)
            drivers.append(
                _Driver(service, plan.share(vendor), sessions[vendor], Mid(data_dir / "log" / vendor), chance, world)
            )
        flapping = _Flapping(world, chance)
        reading = _Reading(data_dir, chance)
        said = progressed = time.monotonic()
        state: object = None
        while not all(driver.done for driver in drivers):
            time.sleep(TICK)
            for driver in drivers:
                driver.step()
            flapping.step()
            reading.step()
            now = time.monotonic()
            if state != (state := [driver.progress for driver in drivers]):
                progressed = now
            if now - said > 15:
                said = now
                tell(f"{now - begun:.0f} s: " + "; ".join(driver.state for driver in drivers))
            if now - progressed > STUCK_AFTER:
                report.differences.append(f"stuck: {[driver.state for driver in drivers]}")
                break
        flapping.close()
        reading.close()
        codes = {driver.service.vendor: driver.service.terminate() for driver in drivers}
        report.mid_stream = {driver.service.vendor: driver.mid_stream for driver in drivers}
        report.seconds = time.monotonic() - begun
        settings = {vendor: load(paths[vendor], {}, vendor=vendor) for vendor in VENDORS}
        compare(report, world, [*sessions["cxone"], *sessions["cognigy"]], data_dir, settings)
        wanted = {"cxone": (0,), "cognigy": (UpstreamError.exit_code,) if report.cut else (0,)}  # cut turns were told
        report.differences += [f"{v} ended with {code}" for v, code in codes.items() if code not in (0, *wanted[v])]
    return report


class _Driver:
    """Begins one service's sessions, and kills it as the plan says."""

    def __init__(
        self, service: Service, share: Share, sessions: list[Session], mid: Mid, chance: random.Random, world: World
    ) -> None:
        self.service = service
        self.mid_stream: list[int] = []
        self._share = share
        self._sessions = sessions
        self._mid = mid
        self._chance = random.Random(chance.random())
        self._world = world
        self._begun = 0
        self._start()

    @property
    def done(self) -> bool:
        return self._kills_left == 0 and self._begun == len(self._sessions) and self._whole == self._begun

    @property
    def progress(self) -> tuple[int, ...]:
        return self._begun, self._whole, self._kills_left, sum(d.counts["shown"] for d in self._world.desktops.values())

    @property
    def state(self) -> str:
        return (
            f"{self.service.vendor}: {len(self.mid_stream)} of {self._share.kills} kills, "
            f"{self._begun} of {len(self._sessions)} begun, {self._whole} whole"
        )

    @property
    def _kills_left(self) -> int:
        return self._share.kills - len(self.mid_stream)

    @property
    def _whole(self) -> int:
        return sum(self._world.is_whole(each) for each in self._sessions)

    def step(self) -> None:
        if self._kills_left and self._dies_now():
            self.service.kill()
            self.mid_stream.append(self._mid.count())
            self._start()
        elif self.service.listens() and self._begun < self._may_have_begun():
            self._begun += self.service.begin(self._sessions[self._begun])

    def _start(self) -> None:
        self.service.start()
        self._early = self._chance.random() < 0.2
        self._clock_from: float | None = time.monotonic() if self._early else None
        self._lives_for = self._chance.uniform(*((0.1, 1.5) if self._early else self._share.life))

    def _dies_now(self) -> bool:
        if self._clock_from is None and self.service.listens():
            self._clock_from = time.monotonic()
        return self._clock_from is not None and time.monotonic() >= self._clock_from + self._lives_for

    def _may_have_begun(self) -> int:
        """The last sessions wait for the last kills."""
        share = self._share
        later = (share.sessions - share.under_way) * len(self.mid_stream) // max(1, share.kills)
        return share.under_way + later


class _Flapping:
    """The acknowledging desktop goes away now and then, for a moment."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = random.Random(chance.random())
        self._away = False
        self._next = time.monotonic() + 2

    def step(self) -> None:
        if time.monotonic() < self._next:
            return
        if self._away:
            self._world.revive()
        else:
            self._world.flap()
        self._away = not self._away
        self._next = time.monotonic() + self._chance.uniform(0.05, 0.5 if self._away else 8)

    def close(self) -> None:
        if self._away:
            self._world.revive()


class _Reading:
    """An analyst who holds the database open now and then."""

    def __init__(self, data_dir: Path, chance: random.Random) -> None:
        self._data_dir = data_dir
        self._chance = random.Random(chance.random())
        self._open: Any = None
        self._next = time.monotonic() + 3

    def step(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._chance.uniform(0.5, 4)
        if self._open is not None:
            self.close()
        else:
            with contextlib.suppress(InputError):  # not landed yet
                self._open = open_metrics(self._data_dir)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def compare(
    report: Report, world: World, sessions: Iterable[Session], data_dir: Path, settings: dict[str, Settings]
) -> None:
    """Everything that was shown and counted, against the truth."""
    sessions = list(sessions)
    report.sessions = len(sessions)
    names: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for desktop in world.desktops.values():
        report.repeated += desktop.counts["repeats"]
        report.contradictions += desktop.counts["contradictions"]
        for received in desktop.received:
            message = json.loads(received.raw)
            if message["type"] == "sentence":
                names[message["session_id"], message["turn"], message["seq"]].add(received.raw)
    report.messages = len(names)
    report.differences += [f"{name}: {len(raws)} texts of one name" for name, raws in names.items() if len(raws) > 1]
    for name, count in Counter(world.cxone.counts + world.cognigy.counts).items():
        if name.startswith(("drop_", "status_4", "status_5")) or name in ("continuations", "gone"):
            report.faults[name] = count
    report.faults["desktop connections"] = sum(each.counts["connections"] for each in world.desktops.values())
    rows = _rows(report, data_dir)
    for session in sessions:
        difference = _difference(report, world, session, rows["turns"].get((session.name, 0)), settings[session.vendor])
        if difference:
            report.differences.append(f"{session.name} ({session.desktop}): {difference}")
    report.differences += _not_alike("messages", set(rows["messages"]), set(names))
    report.differences += _not_alike("deliveries", {name[1:] for name in rows["deliveries"]}, set(names))
    report.differences += _not_alike("turns", set(rows["turns"]), {(each.name, 0) for each in sessions})


def _difference(report: Report, world: World, session: Session, turn: dict[str, Any] | None, settings: Settings) -> str:
    """How a session is not what it must be; empty where it is."""
    if not world.is_whole(session):
        return "messages are missing"
    if turn is None:
        return "its turn has no row"
    shown = world.desktops[session.desktop].transcript(session.name)
    finished = turn["outcome"] == "finished"
    moderator = Moderator(settings.moderation)
    expected = moderator.feed(_received(session, turn)) + moderator.flush()
    if not finished:
        if session.vendor != "cognigy" or turn["error_kind"] != "restarted":
            return f"it ended as {turn['outcome']} ({turn['error_kind']})"
        expected += settings.fallback.text("cognigy", turn["outcome"], None)
    report.cut += not finished
    report.whole += finished
    if shown != expected:
        at = next((at for at, pair in enumerate(zip(shown, expected, strict=False)) if len(set(pair)) > 1), -1)
        places = f"{shown[at : at + 40]!r} for {expected[at : at + 40]!r}"
        return f"{len(shown)} characters shown, {len(expected)} expected; from {at} on {places}"
    if turn["moderation_blocks"] != sum(each.action != "flag" for each in moderator.findings):
        return f"{turn['moderation_blocks']} findings counted, {len(moderator.findings)} made"
    if session.vendor == "cognigy":
        stored = [values["llm_response"] for values in world.cognigy.variables.get(session.name, [])]
        if not stored or set(stored) != {shown}:
            return f"its dialog's variables were set {len(stored)} times, and not to what was shown"
    return ""


def _received(session: Session, turn: dict[str, Any]) -> str:
    """What came of the session's text: all of it, or up to the cut."""
    if turn["outcome"] == "finished":
        return session.text
    return session.text[: turn["chars_received"]]


def _rows(report: Report, data_dir: Path) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """The rows by name; those that are there more than once are differences."""
    keys = {
        "messages": ("session_id", "turn", "seq"),
        "turns": ("session_id", "turn"),
        "findings": ("session_id", "turn", "start_char", "end_char", "rule"),
        "deliveries": ("desktop", "session_id", "turn", "seq"),
        "dead_letters": ("session_id", "turn", "step", "reason"),
    }
    found: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    with open_metrics(data_dir) as database:
        for table, key in keys.items():
            cursor = database.sql(f"SELECT {', '.join((*key, *MORE.get(table, ())))} FROM {table}")
            rows = [dict(zip(cursor.columns, row, strict=True)) for row in cursor.fetchall()]
            counts = Counter(tuple(row[name] for name in key) for row in rows)
            report.rows[table] = len(counts)
            report.differences += [f"{table} {name}: {count} rows" for name, count in counts.items() if count > 1]
            found[table] = {tuple(row[name] for name in key): row for row in rows}
        errors = database.sql(
            "SELECT t.session_id, t.interruptions, count(e.turn) FROM turns AS t LEFT JOIN errors AS e"
            " ON e.session_id = t.session_id AND e.turn = t.turn GROUP BY ALL"
        ).fetchall()
        report.rows["errors"] = sum(there for _, _, there in errors)
        report.differences += [
            f"{name}: {there} errors, {counted} counted" for name, counted, there in errors if counted != there
        ]
    report.differences += [f"a dead letter: {name}" for name in found["dead_letters"] if name[-1] != HALF]
    return found


def _not_alike(what: str, got: set[Any], wanted: set[Any]) -> Iterator[str]:
    if missing := wanted - got:
        yield f"{len(missing)} {what} have no row, such as {min(missing)}"
    if more := got - wanted:
        yield f"{len(more)} rows of {what} too many, such as {min(more)}"


def until(condition: Callable[[], Any], within: float = 60.0) -> None:
    """Return when it holds. Fails after `within` seconds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(TICK)


def _toml(table: dict[str, Any]) -> str:
    return "".join(f"{name} = {_toml_value(value)}\n" for name, value in table.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml_value(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill both services again and again, and compare with the truth.")
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--streams", type=Path, help="JSON lines whose `tokens` become the sessions' answers")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which stays")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if given.seed is None else given.seed
    folder = given.keep or Path(tempfile.mkdtemp(prefix="tokenweir-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {seed}, in {folder}")
    streams = tuple(stream.tokens for stream in Corpus.read(given.streams)) if given.streams else ()
    report = run(Plan.of(seed, given.sessions, given.kills, streams), folder, say)
    for line in report.lines():
        say(line)
    if report.differences:
        return 1
    if not given.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
