"""How long a message took, from the token that proved it.

Which token proves a message (the first word of the next sentence, say) is the service's own affair, and the same each
time the same text comes. So it is learnt: whenever a message came, the token that proves it had been sent. Of a few
quiet streams of each text the earliest such token is it; the streams under load can only make it earlier.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from benchmarks.load.streams import Stream

Proofs = dict[tuple[int, int, int], int]
"""By text, its length and a message's number: the place of the token that proves it."""


def learn(streams: Iterable[Stream], proofs: Proofs) -> None:
    for stream in streams:
        for message, arrived in _messages(stream):
            key = (stream.text, len(stream.frames), message)
            sent = max(0, bisect_right(stream.sent, arrived) - 1)
            proofs[key] = min(sent, proofs.get(key, sent))


def latencies(streams: Iterable[Stream], proofs: Proofs) -> list[float]:
    """Seconds that each message took, in order of size."""
    return sorted(
        arrived - stream.sent[proofs[stream.text, len(stream.frames), message]]
        for stream in streams
        for message, arrived in _messages(stream)
    )


def percentile(ordered: list[float], share: float) -> float:
    """Of what is in order; 0 of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _messages(stream: Stream) -> Iterator[tuple[int, float]]:
    """Each message's number, and when it came."""
    last = 0
    for count, arrived in stream.arrivals:
        for message in range(last, count):
            yield message, arrived
        last = count
