"""Whatever comes from outside: no crash, no hang, no growth. `make soak` tries many more (TOKENWEIR_EXAMPLES)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.errors import DataDirError, InputError
from connectors.job.requests import parse_request
from connectors.log.files import LogReader
from connectors.log.records import CLOSE, FRAME, OPEN, Record, frame
from connectors.log.writer import LogWriter
from connectors.sse import EventTooLargeError, SSEDecoder
from connectors.vendors import decoding as deltas
from connectors.vendors.cognigy.contract import Decoder as CognigyDecoder
from connectors.vendors.cxone.contract import Decoder as CXoneDecoder
from flows.steps.continuation import MAX_WAITING
from flows.steps.frame_ids import MAX_RUNS, MAX_SINGLE
from flows.steps.reassembly import Reassembly
from flows.steps.received import HISTORY
from tests.callers import Service, serving
from tests.conftest import OtherSide, corpus_of

Start = Callable[..., OtherSide]

EXAMPLES = int(os.environ.get("TOKENWEIR_EXAMPLES", "60"))
many = settings(max_examples=EXAMPLES)
LIMIT = 4_096

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "token": st.text() | json_values,
        "tokens": st.lists(st.text()) | json_values,
        "finished": json_values,
        "done": json_values,
        "context_id": json_values,
        "usage": json_values,
        "error": json_values,
        "data": json_values,
    },
)
texts = st.one_of(
    st.text(),
    messages.map(json.dumps),
    messages.map(lambda message: json.dumps(message)[:-1]),
    st.lists(messages.map(json.dumps), max_size=3).map("".join),
    st.sampled_from(
        ["{", "[" * 5_000, '{"a":' * 5_000, '{"token":"\\ud83d"}', '{"token":"\\ude9a"}', '{"token":1e999}']
    ),
)
pieces = st.lists(
    st.binary(max_size=200)
    | st.sampled_from([b"data: x\n", b"\n", b"\r", b"\xef\xbb\xbf", b"id: \x00\n", b"retry: 9" * 9]),
    max_size=30,
)


@many
@given(pieces)
@example([b"data: " + b"x" * 1_000] * 30)
@example([b"data:\n"] * 3_000)
def test_any_bytes_are_events_or_too_large(given_pieces: list[bytes]) -> None:
    decoder = SSEDecoder(LIMIT)
    try:
        for piece in given_pieces:
            for event in decoder.feed(piece):
                assert len(event.data.encode("utf-8", "surrogatepass")) <= LIMIT + len(piece)
    except EventTooLargeError:
        pass


@many
@given(
    st.lists(st.tuples(texts, st.none() | st.text(max_size=8)), max_size=12),
    st.sampled_from([CXoneDecoder, CognigyDecoder]),
)
def test_any_message_of_a_vendor_is_text_or_set_aside(
    frames: list[tuple[str, str | None]], kind: type[deltas.Decoder]
) -> None:
    decoder = kind()
    core = Reassembly(decoder)
    list(core.feed(Record(0, "s", 0, OPEN, d={})))
    for t, (text, frame_id) in enumerate(frames):
        list(core.feed(Record(t, "s", 0, FRAME, id=frame_id, d=text)))
        if t % 4 == 3:
            list(core.feed(Record(t, "s", 0, OPEN, d={})))
        assert len(decoder.pending) <= deltas.MAX_PENDING
        *_, ((recent, _, ((runs, hashes), *_), *_), seam) = core.snapshot()
        if seam is not None:
            _, _, waiting, released, _, undecided = seam
            assert len(waiting) + len(released) + len(undecided) <= HISTORY + 2 * MAX_WAITING
        assert len(recent) <= HISTORY
        assert len(runs) <= MAX_RUNS
        assert len(hashes) <= 8 * MAX_SINGLE
        restored = Reassembly(kind())
        restored.restore(core.snapshot())
    list(core.feed(Record(99, "s", 0, CLOSE, d={"reason": "finished"})))


@many
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=40)), max_size=4), st.integers(0, 10_000)
)
def test_a_log_that_was_damaged_is_read_or_refused_in_words(damage: list[tuple[int, bytes]], length: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "w00"
        writer = LogWriter(folder, "cxone")
        for number in range(20):
            writer.append([frame("s", 0, f'{{"token":"word {number} "}}', id=f"c-{number}")])
        writer.close()
        path = folder / "000000000001.jsonl"
        data = bytearray(path.read_bytes())
        for at, junk in damage:
            data[at % len(data) : at % len(data) + len(junk)] = junk
        path.write_bytes(data[: max(1, length % (2 * len(data)))])
        try:
            again = LogWriter(folder, "cxone")
            again.append([frame("s", 0, "{}")])
            again.close()
            assert sum(1 for _ in LogReader(folder).read()) <= 21 + sum(junk.count(b"\n") for _, junk in damage)
        except (InputError, DataDirError) as error:
            if "word" in str(error):
                pytest.fail("an error quotes the log")


@many
@given(
    st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | messages.map(lambda m: json.dumps(m).encode())
)
@example(b'{"\\n":')
def test_any_request_is_a_session_or_an_error_that_quotes_nothing(body: bytes) -> None:
    try:
        assert parse_request(body).session_id
    except InputError as error:
        if "\n" in str(error):
            pytest.fail("an error is one line")


METHODS = st.sampled_from([b"GET", b"POST", b"DELETE", b"PUT", b"OPTIONS", b"HEAD", b"BREW", b""])
PATHS = st.sampled_from(
    [b"/stream", b"/sessions", b"/sessions/s", b"/health", b"/", b"*", b"/stream?session_id=a&dialog_id="]
)
HEADERS = st.sampled_from(
    [
        b"Content-Length: 5",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"Last-Event-ID: a/0/99999999999999999999",
        b"Last-Event-ID: \xff",
        b"Origin: null",
        b"Host: a\x00b",
        b"Authorization: Bearer \xf0",
        b"Upgrade: websocket",
        b"X: " + b"y" * 70_000,
    ]
)
requests = st.builds(
    lambda method, path, query, headers, body: (
        b"%b %b%b HTTP/1.1\r\n%b\r\n%b" % (method, path, query, b"".join(each + b"\r\n" for each in headers), body)
    ),
    METHODS,
    PATHS,
    st.binary(max_size=30),
    st.lists(HEADERS, max_size=4),
    st.binary(max_size=100),
)


def send(service: Service, data: bytes) -> None:
    """Send bytes, end our half, and take what comes, for a moment."""
    where = urlsplit(service.address)
    with socket.create_connection((where.hostname, where.port), timeout=0.5) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except OSError:
            pass


@pytest.mark.timeout(0 if EXAMPLES > 1_000 else 120)
def test_any_bytes_to_the_front_end_leave_it_well(other_side: Start, tmp_path: Path) -> None:
    side = other_side(corpus_of(["One. ", "Two."]))
    with serving(side, tmp_path, {"request_timeout": 0.3}) as service:

        @many
        @given(st.binary(max_size=300) | requests)
        def send_anything(data: bytes) -> None:
            send(service, data)
            assert service.ask("GET", "/health").text == "OK"

        send_anything()
        service.ask("POST", "/sessions", json={"session_id": "after", "prompt": "stream s"})
        side.reactor.run(side.desktop.until(lambda desktop: desktop.is_whole("after"), 20))
        assert side.desktop.transcript("after") == "One. Two."
