"""What a setting comes to: messages, delays, broken sentences, and how sure that is.

Rules
- Delays are counted in bins of a hundredth of their size (`bin_of`), so that any number of tokens costs the same
  memory and any two ways to count agree. A percentile is the middle of its bin: 0.6 % off at most.
- Sessions are dealt into batches; a figure is a sum over batches. Drawing the batches again with replacement (a
  bootstrap with a seed) tells how far it could as well have come out otherwise.
- A batch holds sessions of one group (a tenant, a model), and has the weight of its group's share.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.tuning.streams import Stream

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 1536
RESAMPLES = 200
INTERVAL = (0.05, 0.95)
_ZERO = 1024  # microseconds: delays far below it share a bin
_SHIFT = 17  # what is left of a float32: its exponent, and 6 bits of its fraction
_FIRST = int(np.float32(_ZERO).view(np.int32)) >> _SHIFT


def bin_of(delays: NDArray[np.signedinteger]) -> NDArray[np.int32]:
    """The bins of delays in microseconds: 64 to each doubling of (delay + 1 ms), up to 4.7 hours."""
    shifted = delays.astype(np.float32)
    shifted += np.float32(_ZERO)
    bins = shifted.view(np.int32)
    bins >>= _SHIFT
    bins -= _FIRST
    if delays.dtype != np.int32:
        np.minimum(bins, BINS - 1, out=bins)
    return bins


_EDGES = ((np.arange(BINS + 1, dtype=np.int32) + _FIRST) << _SHIFT).view(np.float32).astype(np.float64) - _ZERO
MIDDLES = np.append(0.0, (_EDGES[1:-1] + _EDGES[2:]) / 2)
"""What a bin stands for, in microseconds; the first, which is 16 wide, for none."""


class Tally:
    """The sums of one batch, by setting.

    messages, windows (those with text), broken (windows that end inside a sentence), and the histograms of the delays
    of tokens and of the first windows.
    """

    def __init__(self, settings: int, sessions: int = 0, turns: int = 0, tokens: int = 0) -> None:
        self.sessions, self.turns, self.tokens = sessions, turns, tokens
        self.messages = np.zeros(settings, np.int64)
        self.windows = np.zeros(settings, np.int64)
        self.broken = np.zeros(settings, np.int64)
        self.delays = np.zeros((settings, BINS), np.int32)
        self.firsts = np.zeros((settings, BINS), np.int32)

    @classmethod
    def of(cls, streams: Sequence[Stream], settings: int) -> Tally:
        """Nothing counted yet, of these streams."""
        sessions = len({stream.session for stream in streams})
        return cls(settings, sessions, len(streams), sum(stream.tokens for stream in streams))

    def take(self, number: int, one: Tally) -> None:
        """Take a setting's sums from another tally, of that setting alone."""
        for name in ("messages", "windows", "broken", "delays", "firsts"):
            getattr(self, name)[number] = getattr(one, name)[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and all(
            np.array_equal(value, other.__dict__[name]) for name, value in self.__dict__.items()
        )

    __hash__ = None  # type: ignore[assignment]  # it changes


class Figure(msgspec.Struct, frozen=True):
    """A value, and between what bounds nine in ten resamples came out."""

    value: float
    low: float
    high: float


class Figures(msgspec.Struct, frozen=True):
    """One setting's figures. Times are milliseconds; delays are by token, from its arrival to its release.

    messages      a session
    reduction     the share of messages saved against one a token
    first_p50/95  from a turn's first token to its first message
    broken        the share of windows that end inside a sentence
    """

    messages: Figure
    reduction: Figure
    first_p50: Figure
    first_p95: Figure
    delay_p50: Figure
    delay_p95: Figure
    delay_p99: Figure
    broken: Figure


NAMES = Figures.__struct_fields__
_QUANTILES = {
    "first_p50": ("firsts", 0.5),
    "first_p95": ("firsts", 0.95),
    "delay_p50": ("delays", 0.5),
    "delay_p95": ("delays", 0.95),
    "delay_p99": ("delays", 0.99),
}


class Sample:
    """All batches' tallies, drawn again and again. `weights` are by batch: what one of its sessions counts."""

    def __init__(self, tallies: Sequence[Tally], weights: Sequence[float], groups: Sequence[int], seed: int) -> None:
        self._tallies = tallies
        self.draws = _draws(np.array(groups), seed) * np.array(weights)
        self._sessions = self.draws @ np.array([tally.sessions for tally in tallies], float)
        self._tokens = self.draws @ np.array([tally.tokens for tally in tallies], float)

    def drawn(self, setting: int) -> dict[str, Floats]:
        """Each figure of the setting: first as it is, then in every resample."""
        messages = self._sum("messages", setting)
        windows = self._sum("windows", setting)
        figures = {
            "messages": messages / self._sessions,
            "reduction": 1 - messages / np.maximum(self._tokens, 1e-9),
            "broken": self._sum("broken", setting) / np.maximum(windows, 1e-9),
        }
        for histogram in ("firsts", "delays"):
            first, sums = self._sums(histogram, setting)
            for name, (of, q) in _QUANTILES.items():
                if of == histogram:
                    figures[name] = MIDDLES[first + self._quantile(sums, q)] / 1000
        return figures

    def _sum(self, name: str, setting: int) -> Floats:
        values: Floats = self.draws @ np.array([getattr(tally, name)[setting] for tally in self._tallies], float)
        return values

    def _sums(self, name: str, setting: int) -> tuple[int, Floats]:
        """The first bin that is used, and by bin and batch how much there is up to it."""
        rows = np.stack([getattr(tally, name)[setting] for tally in self._tallies])
        used = np.flatnonzero(rows.any(axis=0))
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
        return first, np.cumsum(rows[:, first : last + 1].T, axis=0, dtype=float)

    def _quantile(self, sums: Floats, q: float) -> NDArray[np.intp]:
        """By draw: the first bin up to which there is that share of all. Found by halving, for all draws together."""
        wanted = self.draws @ sums[-1] * (q - 1e-6)
        low = np.zeros(len(self.draws), np.intp)
        high = np.full(len(self.draws), len(sums) - 1)
        while (low < high).any():
            middle = (low + high) // 2
            enough = np.einsum("db,db->d", self.draws, sums[middle]) >= wanted
            high, low = np.where(enough, middle, high), np.where(enough, low, middle + 1)
        return high


def figures(drawn: dict[str, Floats]) -> Figures:
    """What was drawn, with its bounds."""
    bounds = {name: np.quantile(values[1:], INTERVAL) for name, values in drawn.items()}
    return Figures(**{name: Figure(float(drawn[name][0]), *map(float, bounds[name])) for name in NAMES})


def _draws(groups: Counts, seed: int) -> Floats:
    """How often each batch counts: once, and then as often as it was drawn, within its group."""
    random = np.random.default_rng(seed)
    draws = np.ones((1 + RESAMPLES, len(groups)))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        share = np.full(len(members), 1 / len(members))
        draws[1:, members] = random.multinomial(len(members), share, size=RESAMPLES)
    return draws
