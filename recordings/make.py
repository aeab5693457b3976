"""Makes the recordings: scenes that the simulator plays to the real client.

    .venv/bin/python -m recordings.make [NAME ...]      all of them, or those named

Rules
- A scene is a note and the sessions that run at once. Each session's prompt names its text and its faults
  (connectors/simulator/faults.py), so that a recording says itself what it must come out as.
- Every text is ours: the simulator's own, and those below.
- A recording is kept only if its replay gives the bytes that the desktop read off its socket.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec

from connectors.errors import TokenweirError
from connectors.job.requests import SessionRequest
from connectors.log.records import encode_message
from connectors.reactor import Reactor
from connectors.simulator import AgentDesktop, Corpus, TokenStream
from connectors.simulator.texts import Text, cut
from connectors.simulator.vendor import CLIENT_ID, CLIENT_SECRET
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cxone.simulator import SimulatedCXone
from flows import cognigy, cxone
from flows.live import LiveJob
from flows.replay import replay
from flows.settings import Settings, load

FOLDER = Path(__file__).parent
SETTINGS = FOLDER / "settings.toml"
PROVENANCE = (
    "Made by recordings/make.py: tokenweir's own client and simulator; every text, name and number is invented."
)
SPEED = 2.0

OWN_TEXTS = (
    # Silence in the middle of a card number, and in the middle of a blocked word.
    Text(
        "hesitant",
        "Which card will you charge?",
        "One moment please. We will charge 4111 1111 1111 1111 on Friday. Please do not frobnicate it until then.",
        pauses=((" 4111 1111", 3.0), (" frob", 3.0)),
    ),
    # What comes again and again, and is no repetition.
    Text(
        "table",
        "How much is it?",
        "| no | no | no |\n|---|---|---|\n" + "| 11 | 11 | 11 |\n" * 4 + "\nHa ha ha ha ha ha.",
    ),
    # A second answer that needs the first.
    Text("thanks", "Thanks, and when?", "On Friday, before 5 p.m. at the latest. Goodbye!"),
)


ID_KINDS = {
    "counting": "ids=event",
    "unique": "ids=event:named=unique",
    "shared": "ids=event:named=shared:size=4",
    "one": "ids=stream",
}


class Scene(msgspec.Struct, frozen=True):
    """One recording's worth.

    note        what it holds, for its header
    sessions    what is asked for, in order; turns of the same session follow one another
    stop_after  tokens after which the job is stopped, to be started again; 0 for never
    vendor      whose client and gateway it is
    resumes     cxone.resumes, where only the text tells what comes again
    """

    note: str
    sessions: tuple[SessionRequest, ...]
    stop_after: int = 0
    vendor: str = "cxone"
    resumes: str = "auto"


def ask(text: str, faults: str = "", *, session: str = "", language: str | None = None) -> SessionRequest:
    """One session's turn: the name of a text, and what goes wrong with its stream."""
    prompt = f"stream {text} with {faults}" if faults else f"stream {text}"
    return SessionRequest(session_id=session or text, prompt=prompt, language=language, dialog_id=text)


SCENES = {
    "clean": Scene("Prose, and nothing goes wrong.", (ask("refund"),)),
    "continued": Scene(
        "The connection is reset in the middle of a sentence; the continuation goes on with the next token.",
        (ask("refund", "drop=rst@40"),),
    ),
    "repeated-same-ids": Scene(
        "After each of two drops some tokens come again, with the ids that they had.",
        (ask("abbreviations", "drop=fin@30,drop=end@90,repeat=5"),),
    ),
    "repeated-new-ids": Scene(
        "After a drop eight tokens come again under new ids: only the text can tell, and `cxone.resumes` says so.",
        (ask("abbreviations", "drop=end@70,repeat=8:ids=new"),),
        resumes="repeats",
    ),
    "repeated-one-id": Scene(
        "The whole stream has one id, and six tokens come again after a drop; `cxone.resumes` says so.",
        (ask("refund", "ids=stream,drop=fin@25,repeat=6"),),
        resumes="repeats",
    ),
    "exact": Scene(
        "Text that repeats itself where a continuation goes on: ids of every kind, and nothing comes again.",
        tuple(ask("table", f"drop=fin@30,drop=fin@57,{ids}", session=name) for name, ids in ID_KINDS.items()),
    ),
    "ids-in-data": Scene(
        "The id is in the data: alone; beside the event's own; or another one, which is wrong.",
        (
            ask("refund", "ids=data,drop=fin@20,repeat=4", session="alone"),
            ask("refund", "ids=both,drop=fin@20,repeat=4", session="beside"),
            ask("refund", "ids=clash,drop=fin@20,repeat=4", session="wrong"),
        ),
    ),
    "rate-limited": Scene(
        "429 with Retry-After: in seconds, as a date, and to a continuation, whose window goes out meanwhile.",
        (
            ask("yes", "429=1:retry-after=1:on=start", session="seconds"),
            ask("yes", "429=1:retry-date=2:on=start", session="date"),
            ask("refund", "drop=fin@19,429=1:retry-after=1:on=continue", session="continuation"),
        ),
    ),
    "revoked-token": Scene(
        "The access token is revoked as the stream breaks; the continuation's 401 has it renewed.",
        (ask("account", "drop=rst@30:revoke"),),
    ),
    "pii": Scene(
        "Every kind of personal data over token seams: whole, and with drops in the middle of it.",
        (ask("account", session="whole"), ask("account", "drop=fin@32,drop=rst@48,repeat=3", session="broken")),
    ),
    "blocked-word": Scene(
        "A blocked word over token seams, and over a drop, beside words that only look like it.",
        (ask("blocked", session="whole"), ask("blocked", "drop=fin@14,repeat=3", session="broken")),
    ),
    "markdown": Scene("Headings, lists, a table, and code with full stops in it.", (ask("code", "ids=event:every=3"),)),
    "split-characters": Scene(
        "Japanese and emoji; characters beyond the BMP come as surrogate halves in two tokens.",
        (
            ask("japanese", "drop=fin@28,repeat=4", language="ja"),
            ask("emoji", "ids=stream,drop=fin@10,repeat=5"),
        ),
        resumes="repeats",
    ),
    "byte-tokens": Scene(
        "Characters as byte tokens (<0xE2>), once broken off between two bytes of one.",
        (ask("bytes", session="whole"), ask("bytes", "drop=rst@47", session="broken")),
    ),
    "languages": Scene(
        "Scripts and full stops of other languages.",
        (ask("german", language="de"), ask("hindi", language="hi"), ask("chinese", language="zh")),
    ),
    "silence": Scene(
        "A pause that is longer than a window waits, and one that is shorter.",
        (ask("slow"),),
    ),
    "silence-in-a-finding": Scene(
        "Pauses in the middle of a card number and of a blocked word: the suspect tail stays.",
        (ask("hesitant"),),
    ),
    "held-too-long": Scene(
        "Silence for longer than `max_hold_seconds`, in a card number and in a word: what is held is redacted.",
        (ask("account", "stall=2.5@46", session="card"), ask("refund", "stall=2.5@20", session="word")),
    ),
    "idle": Scene(
        "The stream falls silent for longer than `idle_timeout`, and is continued.", (ask("refund", "stall=30@32"),)
    ),
    "long": Scene(
        "No full stop for longer than `max_chars`, with a big `data` field that is not shown.",
        (ask("breathless", "big=20000@20"),),
    ),
    "split-json": Scene(
        "One JSON message over three events, four in one event, and a break in the middle of one.",
        (
            ask("refund", "split=3", session="split"),
            ask("german", "pack=4", session="packed", language="de"),
            ask("chinese", "split=2,drop=fin@1540b", session="broken", language="zh"),
        ),
    ),
    "sse-liberties": Scene(
        "CRLF and CR line ends, a byte order mark, comments, retry, several data lines, chunks of 7 bytes.",
        (
            ask("refund", "eol=crlf,bom,comments=3,lines,pieces=7", session="crlf"),
            ask("emoji", "eol=cr,retry=3000,lines,finish=last", session="cr"),
        ),
    ),
    "malformed": Scene(
        "Events that are no JSON, half a JSON, of wrong types, no UTF-8; the rest comes through.",
        (ask("refund", "malformed=garbage@5,malformed=truncated@15,malformed=type@25,malformed=utf8@35"),),
    ),
    "error-event": Scene(
        "The vendor ends the turn with an error event.", (ask("refund", "drop=error@30:code=overloaded"),)
    ),
    "interrupted": Scene(
        "Turns that no continuation saves: the restarts are used up; there is no id to continue from.",
        (
            ask("refund", "drop=end@+6:times=9", session="exhausted"),
            ask("refund", "ids=none,drop=fin@20", session="no-id"),
        ),
    ),
    "refused": Scene(
        "Turns without a token: 403, and 429 more often than `max_retries`.",
        (ask("refund", "403", session="forbidden"), ask("refund", "429=9", session="limited")),
    ),
    "crowd": Scene(
        "Several sessions at once, some of them broken; one has two turns.",
        (
            ask("refund", "503=1", session="crowd-1"),
            ask("blocked", "drop=end@12:revoke,repeat=3:ids=new", session="crowd-2"),
            ask("chinese", session="crowd-3", language="zh"),
            ask("emoji", "ids=stream,drop=fin@10,repeat=5", session="crowd-4"),
            ask("slow", session="crowd-5"),
            ask("yes", session="crowd-6"),
            ask("hesitant", session="crowd-1"),
            ask("thanks", session="crowd-6"),
        ),
        resumes="repeats",
    ),
    "restarted": Scene(
        "The job itself is stopped in the middle of the turns and started again.",
        (ask("account"), ask("german", "repeat=4", language="de")),
        stop_after=60,
    ),
    "cognigy": Scene(
        "Cognigy.AI: several tokens a message, usage reported or not, markdown stripped, a blocked word filtered.",
        (
            ask("account", "usage=done"),
            ask("blocked", "pack=3,usage=none"),
            ask("code", "pack=4"),
            ask("japanese", "pack=2", language="ja"),
        ),
        vendor="cognigy",
    ),
    "cognigy-interrupted": Scene(
        "Cognigy.AI: streams that break for good in the middle; what was lost is said, not invented.",
        (
            ask("refund", "drop=1006@30", session="abnormal"),
            ask("refund", "drop=1011@12", session="by-the-server"),
            ask("refund", "drop=1000@50", session="clean-close"),
            ask("slow", "stall=30@20", session="silent"),
        ),
        vendor="cognigy",
    ),
    "cognigy-reconnected": Scene(
        "Cognigy.AI: a stream that breaks before its first token is begun again.",
        (ask("refund", "drop=1006@0"),),
        vendor="cognigy",
    ),
}


def corpus() -> Corpus:
    """Everything that a prompt of a scene may name."""
    own = ((text, tuple(cut(text))) for text in OWN_TEXTS)
    return Corpus(
        [
            *Corpus.builtin(),
            *(TokenStream(text.name, tokens, text.times(tokens), text.prompt) for text, tokens in own),
        ]
    )


GATEWAYS: dict[str, Callable[[], SimulatedCXone | SimulatedCognigy]] = {
    "cxone": lambda: SimulatedCXone(corpus(), speed=SPEED),
    "cognigy": lambda: SimulatedCognigy(corpus(), speed=SPEED, first_message=True),
}
JOBS = {"cxone": cxone.job, "cognigy": cognigy.job}


def make(name: str) -> str:
    """Play a scene, keep its recording, and say what it came to. Raises TokenweirError where it cannot be kept."""
    reactor = Reactor()
    vendor = SCENES[name].vendor
    gateway, desktop = GATEWAYS[vendor](), AgentDesktop()
    servers = AsyncExitStack()
    with TemporaryDirectory() as data_dir:
        recording = Path(data_dir) / f"{name}.jsonl"
        try:
            reactor.run(servers.enter_async_context(gateway))
            reactor.run(servers.enter_async_context(desktop))
            account = {"BASE_URL": gateway.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
            environment = {f"{vendor.upper()}_{key}": value for key, value in account.items()}
            environment["TOKENWEIR__CXONE__RESUMES"] = SCENES[name].resumes
            environment |= {"AGENT_WS_URL": desktop.url, "TOKENWEIR_DATA_DIR": data_dir}
            settings = load(SETTINGS, environment, vendor=vendor)
            job = _play(SCENES[name], settings, reactor, gateway)
        finally:
            reactor.run(servers.aclose())
            reactor.close()
        count = job.source.record(recording, f"{SCENES[name].note} {PROVENANCE}")
        _check(recording, settings, desktop)
        size = recording.stat().st_size
        recording.replace(FOLDER / recording.name)
    ended = ", ".join(f"{number} {reason}" for reason, number in sorted(job.outcomes.items()))
    return f"{count} records, {size} bytes, {len(desktop.received)} messages; turns: {ended}"


def _play(scene: Scene, settings: Settings, reactor: Reactor, gateway: SimulatedCXone | SimulatedCognigy) -> LiveJob:
    """Run the scene's job to its end; returns the one that saw it."""
    job = JOBS[scene.vendor](settings, requests=scene.sessions)
    if not scene.stop_after:
        job.run()
        return job

    async def stop() -> None:
        await gateway.until(lambda it: it.counts["tokens"] >= scene.stop_after)
        job.source.stop()

    stopping = reactor.spawn(stop())
    job.run()
    stopping.result()
    again = JOBS[scene.vendor](settings)
    again.run()
    return again


def _check(recording: Path, settings: Settings, desktop: AgentDesktop) -> None:
    replayed: list[bytes] = []
    replay(recording, settings, lambda message: replayed.append(encode_message(message)))
    shown = {message.raw.encode() for message in desktop.received}
    if set(replayed) != shown:
        raise TokenweirError(f"{recording.name}: its replay differs from what the desktop was shown")


def main(names: list[str]) -> None:
    for name in names or SCENES:
        click.echo(f"{name}: {make(name)}")


if __name__ == "__main__":
    main(sys.argv[1:])
