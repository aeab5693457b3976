"""What decoding Server-Sent Events costs, and against httpx-sse where it is installed.

    python benchmarks/sse.py

One line a load: milliseconds of CPU per MB, and the ratio of ours to the peer's in the same run.
The peer reads through an httpx response, as its users do. It is no dependency of ours: install
httpx-sse where you want the ratio.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from connectors.sse import SSEDecoder

Chunks = Sequence[bytes]

EVENT = b'id: ctx-1\ndata: {"token":"hello","finished":false}\n\n'
CRLF = EVENT.replace(b"\n", b"\r\n")
LONG = b"data: " + b"x" * (8 << 20) + b"\n\n"


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


LOADS: dict[str, Chunks] = {
    "an event a chunk": [EVENT] * 20_000,
    "an event a chunk, CRLF": [CRLF] * 20_000,
    "64 KB chunks": cut(EVENT * 20_000, 64 << 10),
    "100-byte chunks": cut(EVENT * 20_000, 100),
    "8 MB line in 1 KB chunks": cut(LONG, 1024),
    "60,000 data lines": [b"data: x\n" * 60_000 + b"\n"],
}


def ours(chunks: Chunks) -> int:
    decoder = SSEDecoder()
    return sum(len(decoder.feed(chunk)) for chunk in chunks)


def peer() -> Callable[[Chunks], int] | None:
    if not importlib.util.find_spec("httpx_sse"):
        return None
    import httpx
    import httpx_sse

    class Stream(httpx.SyncByteStream):
        def __init__(self, chunks: Chunks) -> None:
            self.chunks = chunks

        def __iter__(self) -> Iterator[bytes]:
            yield from self.chunks

    def decode(chunks: Chunks) -> int:
        response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Stream(chunks))
        return sum(1 for _ in httpx_sse.EventSource(response).iter_sse())

    return decode


def best_of(decode: Callable[[Chunks], int], chunks: Chunks, runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        began = time.process_time()
        decode(chunks)
        times.append(time.process_time() - began)
    return min(times)


def main() -> None:
    theirs = peer()
    for name, chunks in LOADS.items():
        seconds = best_of(ours, chunks)
        line = f"{name:26} {seconds * 1e9 / sum(map(len, chunks)):7.1f} ms/MB"
        if theirs:
            line += f"  {seconds / best_of(theirs, chunks):5.2f} of httpx-sse"
        print(line)


if __name__ == "__main__":
    main()
