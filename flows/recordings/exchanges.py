"""Where people have answers of models: files that hold requests and their answers, taken apart into exchanges.

Rules
- A HAR file (Chrome's and Playwright's, mitmproxy's) is an exchange an entry; a VCR cassette, in YAML or JSON, an
  exchange an interaction. An HTTP answer as JSON lines, {"t_ms", "chunk" or "b64"} a piece, is one; so is a WebSocket
  as JSON lines, {"t", "dir": "<" or ">", "frame"} a message. Anything else is the body of one answer.
- Of a request only what was asked, and of which model, is taken. Its headers, and so its keys, are never looked at.
- An exchange without an answer is one that broke off before it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from connectors.errors import InputError
from connectors.gunzip import Gunzip, GunzipError
from connectors.vendors.answers import at, objects
from flows.recordings.bodies import Chunk

_YAML: Final = re.compile(rb"\s*(?:---\s*\n)?(?:#[^\n]*\n)*(?:interactions|http_interactions|recorded_with|version):")
_FROM: Final = re.compile(r"^GET \S*[?&]from=(\d{1,12})(?!\d)")
_PACKET: Final = "\x1e"


class Packet(msgspec.Struct, frozen=True):
    """A message of a WebSocket, or of what polling puts in its place: ours where it was `sent`; None for its end."""

    t: int | None
    text: str | None
    sent: bool = False


class Exchange(msgspec.Struct, kw_only=True):
    """A request and what came of it.

    prompt, model  what was asked, and of which model, where that is known
    path           where it was asked, without what follows a question mark
    status         of the answer; None where it is not known
    chunks         its body; and `packets` where it was a WebSocket
    cut            it is known that the connection broke
    """

    prompt: str | None = None
    model: str | None = None
    path: str = ""
    status: int | None = None
    chunks: list[Chunk] = []
    packets: list[Packet] = []
    cut: bool = False


def exchanges_in(chunks: Sequence[Chunk]) -> list[Exchange]:
    """What is in a file, or in what came through a pipe. Raises InputError."""
    chunks = _unzipped(chunks)
    start = b"".join(chunk for _, chunk in chunks[:64])[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if _YAML.match(start):
        return list(_cassette(_yaml(_joined(chunks))))
    if start.startswith(b"{"):
        whole = _joined(chunks)
        first, _, rest = whole.strip().partition(b"\n")
        known = _parse(first)
        if isinstance(known, dict) and rest and (found := _lines(known, whole)):
            return found
        if (any(key in start for key in (b'"log"', b"interactions"))) and isinstance(known := _parse(whole), dict):
            if isinstance(at(known, "log", "entries"), list):
                return list(_har(known["log"]["entries"]))
            if any(isinstance(known.get(key), list) for key in ("interactions", "http_interactions")):
                return list(_cassette(known))
    return [Exchange(chunks=list(chunks))]


def _lines(first: Mapping[str, Any], whole: bytes) -> list[Exchange]:
    """The exchange of JSON lines, if that is what they are."""
    if "dir" in first and ("upgrade" in first or "frame" in first or "http" in first):
        return [_socket(list(_records(whole)))]
    if {"chunk", "b64"} & first.keys() or ("req" in first and "body" in first) or "head" in first:
        return list(_pieces(_records(whole)))
    return []


def _records(whole: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(whole.splitlines(), 1):
        if line.strip():
            record = _parse(line)
            if not isinstance(record, dict):
                raise InputError(f"line {number} is no JSON object, as the lines before it are")
            yield record


def _pieces(records: Iterable[dict[str, Any]]) -> Iterator[Exchange]:
    """HTTP answers as the network cut them, each behind its request.

    One that was broken off and is gone on with from a byte of it, as llama.cpp's server can, is one answer.
    """
    made, first = Exchange(chunks=[]), True
    for record in records:
        t = _micros(record.get("t_ms"))
        if isinstance(asked := record.get("req"), str):
            if (goes_on := _FROM.search(asked)) and made.chunks:
                made.chunks, made.cut = _until(made.chunks, int(goes_on[1])), False
            elif not first:
                yield made
                made = Exchange(chunks=[])
            made.path = made.path or _path(asked.rpartition(" ")[2])
            first = False
        if "body" in record:
            _ask(made, record["body"])
        if "status" in record:
            made.status = _status(record["status"])
        if isinstance(record.get("chunk"), str):
            made.chunks.append((t, record["chunk"].encode(errors="surrogatepass")))
        elif isinstance(record.get("b64"), str):
            made.chunks.append((t, _base64(record["b64"])))
        if str(record.get("end")).startswith(("abrupt", "close", "cut")):
            made.cut = True
    yield made


def _until(chunks: Iterable[Chunk], size: int) -> list[Chunk]:
    """The first bytes of a body."""
    kept: list[Chunk] = []
    for t, chunk in chunks:
        kept.append((t, chunk[: max(0, size)]))
        size -= len(chunk)
    return kept


def _socket(records: Iterable[dict[str, Any]]) -> Exchange:
    """A WebSocket's messages; what polling sent instead is taken for such."""
    made = Exchange(packets=[])
    for record in records:
        t, sent = _micros(record.get("t")), record.get("dir") == ">"
        if isinstance(record.get("upgrade"), str):
            made.path = _path(record["upgrade"])
        if isinstance(record.get("frame"), str):
            made.packets.append(Packet(t, record["frame"], sent))
        elif "http" in record and isinstance(record.get("body"), str):
            made.packets += [Packet(t, text, sent) for text in _polled(record["body"])]
        elif "close" in record or "error" in record:
            made.packets.append(Packet(t, None, sent))
        made.cut = made.cut or "error" in record
    return made


def _har(entries: Iterable[Any]) -> Iterator[Exchange]:
    for entry in objects(entries):
        made = Exchange(status=_status(at(entry, "response", "status")), chunks=[], packets=[])
        made.path = _path(at(entry, "request", "url"))
        _ask(made, at(entry, "request", "postData", "text"))
        content = at(entry, "response", "content")
        text = at(content, "text")
        started = _date(entry.get("startedDateTime"))
        if events := list(objects(entry.get("_eventSourceMessages"))):
            for event in events:
                made.chunks.append((_since(event.get("time"), started), _event(event)))
        elif isinstance(text, str) and text:
            data = _base64(text) if at(content, "encoding") == "base64" else text.encode(errors="surrogatepass")
            made.chunks += _unzipped([(None, data)])
        for message in objects(entry.get("_webSocketMessages")):
            if isinstance(message.get("data"), str):
                t = _since(message.get("time"), started)
                made.packets.append(Packet(t, message["data"], message.get("type") == "send"))
        yield made


def _cassette(known: Mapping[str, Any]) -> Iterator[Exchange]:
    interactions = known.get("interactions") or known.get("http_interactions")
    for interaction in objects(interactions):
        made = Exchange(status=_status(at(interaction, "response", "status", "code")), chunks=[])
        if made.status is None:
            made.status = _status(at(interaction, "response", "status"))
        made.path = _path(at(interaction, "request", "uri"))
        _ask(made, _body(at(interaction, "request", "body")))
        made.chunks += _unzipped([(None, _body(at(interaction, "response", "body")))])
        yield made


def _body(body: Any) -> bytes:
    """A cassette's body: text, bytes, or an object that holds them."""
    if isinstance(body, dict):
        if isinstance(body.get("base64_string"), str):
            return _base64(body["base64_string"])
        body = body.get("string")
    return body if isinstance(body, bytes) else str(body or "").encode(errors="surrogatepass")


def _yaml(data: bytes) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped,unused-ignore]  # its stubs are a package of their own
    except ImportError:
        raise InputError("a cassette in YAML needs PyYAML: install tokenweir[cassettes]") from None
    try:
        known = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise InputError("it begins like a cassette, and is no YAML") from None
    return known if isinstance(known, dict) else {}


def _ask(made: Exchange, body: Any) -> None:
    """Note what a request asked: its last text, of whatever API."""
    body = _parse(body) if isinstance(body, str | bytes) else body
    if not isinstance(body, dict):
        return
    made.model = body["model"] if isinstance(body.get("model"), str) else made.model
    for key in ("messages", "contents", "input", "prompt", "message"):
        if text := _last_text(body.get(key)):
            made.prompt = text
            return


def _last_text(value: Any) -> str:
    """The text of the last message in any API's list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        last = value[-1]
        if isinstance(last, dict):
            return _last_text(last.get("content") or last.get("parts") or last.get("text"))
    return ""


def _event(event: Mapping[str, Any]) -> bytes:
    """A message of an event source as it would have come."""
    lines = [f"event: {event['eventName']}"] if event.get("eventName") else []
    lines += [f"id: {event['eventId']}"] if event.get("eventId") else []
    lines += [f"data: {line}" for line in str(event.get("data") or "").split("\n")]
    return "\n".join([*lines, "", ""]).encode(errors="surrogatepass")


def _polled(body: str) -> Iterator[str]:
    """The packets of one polling answer: apart by a sign (version 4), or each behind its length (3)."""
    while found := re.match(r"(\d+):", body):
        end = found.end() + int(found[1])
        yield body[found.end() : end]
        body = body[end:]
    if body and body != "ok":
        yield from body.split(_PACKET)


def _unzipped(chunks: Sequence[Chunk]) -> list[Chunk]:
    if not chunks or chunks[0][1][:2] != b"\x1f\x8b":
        return list(chunks)
    gunzip = Gunzip()
    try:
        return [(t, piece) for t, chunk in chunks for piece in gunzip.feed(chunk)]
    except GunzipError as error:
        raise InputError(f"it is compressed by gzip, and {error}") from None


def _joined(chunks: Iterable[Chunk]) -> bytes:
    return b"".join(chunk for _, chunk in chunks).removeprefix(b"\xef\xbb\xbf")


def _parse(data: str | bytes) -> Any:
    try:
        return json.loads(data, strict=False)
    except (ValueError, RecursionError):
        return None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except binascii.Error:
        raise InputError("a part that says it is base64 is none") from None


def _path(url: Any) -> str:
    return urlsplit(url).path if isinstance(url, str) else ""


def _status(value: Any) -> int | None:
    """A status from a number, or from a line such as HTTP/1.1 200 OK."""
    if type(value) is int:
        return value or None
    found = re.search(r"\b([1-5]\d\d)\b", value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _micros(value: Any) -> int | None:
    return round(value * 1000) if isinstance(value, int | float) and 0 <= value < 1e12 else None


def _date(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except ValueError:
        return None


def _since(value: Any, started: float | None) -> int | None:
    """Microseconds since a request, of a time in seconds since 1970 or in words."""
    at_seconds = value if isinstance(value, int | float) else _date(value)
    if at_seconds is None or started is None:
        return None
    return max(0, round((at_seconds - started) * 1e6))
