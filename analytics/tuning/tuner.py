"""Many settings over many streams: what each of them comes to, and how sure that is.

Rules
- Sessions are dealt at random (by a seed) into batches; a few batches are walked under all settings before the next
  ones are, so memory does not grow with tokens times settings.
- Weighed by tenant or model, every one counts alike, or as its share says, however many sessions of it were recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from analytics.tuning.count import Count
from analytics.tuning.figures import Figures, Floats, Sample, Tally, figures
from analytics.tuning.hold import holding
from analytics.tuning.streams import Stream, Streams
from connectors.errors import SettingsError
from flows.moderation import Policy
from flows.steps.windows import WindowSettings

BATCHES = 40
BLOCK = 600_000
"""Tokens that are walked together, where a batch has no more."""
MAX_SETTINGS = 1_500
MAX_TOKENS = 50_000_000
"""In all; `sums` counts on it."""
MAX_GROUPS = 8
OTHERS = "(others)"
FEW = 30
"""Fewer sessions than this, and the figures are a hint, not a finding."""

By = Literal["tenant", "model"]


class Outcome(msgspec.Struct):
    """What was found.

    drawn     by setting, each figure as it is and in every resample (`Sample.drawn`)
    groups    sessions by tenant or model, where they were weighed by one
    left_out  turns that could not be tuned on, by reason
    """

    settings: list[WindowSettings]
    figures: list[Figures]
    drawn: list[dict[str, Floats]]
    sessions: int
    turns: int
    tokens: int
    groups: dict[str, int]
    left_out: Counter[str]
    moderated: bool

    def with_more(self, other: Outcome) -> Outcome:
        """This and other settings over the same streams, drawn by the same seed."""
        return msgspec.structs.replace(
            self,
            settings=self.settings + other.settings,
            figures=self.figures + other.figures,
            drawn=self.drawn + other.drawn,
        )


def tune(
    streams: Streams,
    settings: Sequence[WindowSettings],
    policy: Policy,
    *,
    by: By | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    done: Callable[[int, int], None] = lambda done, of: None,
) -> Outcome:
    """Every setting's figures over all streams. `done` is told how many token-settings are done, of how many.

    The settings differ in what is tuned; their language, abbreviations and overrides are the first one's.
    Raises SettingsError for more than `MAX_SETTINGS` or `MAX_TOKENS`, and for shares of groups that are not there.
    """
    if len(settings) > MAX_SETTINGS:
        raise SettingsError(f"{len(settings)} settings to try are too many: at most {MAX_SETTINGS}; try fewer values")
    if (tokens := sum(len(stream.ends) for stream in streams.streams)) > MAX_TOKENS:
        raise SettingsError(f"{tokens:,} tokens to tune on are too many: at most {MAX_TOKENS:,}; give fewer recordings")
    held = holding(policy)
    groups = _groups(streams.streams, by)
    weights = _weights(groups, shares or {})
    batches = _deal(groups, max(8, min(BATCHES, 12_000 // len(settings))), seed)
    total = tokens * len(settings)
    count = 0

    def progress(more: int) -> None:
        nonlocal count
        count += more
        done(count, total)

    tallies: list[Tally] = []
    for together in _blocks([members for _, members in batches]):
        tallies += Count(together, settings, held).run(progress)
    names = list(groups)
    sample = Sample(
        tallies, [weights[group] for group, _ in batches], [names.index(group) for group, _ in batches], seed
    )
    drawn = [sample.drawn(number) for number in range(len(settings))]
    return Outcome(
        settings=list(settings),
        figures=[figures(each) for each in drawn],
        drawn=drawn,
        sessions=sum(tally.sessions for tally in tallies),
        turns=len(streams.streams),
        tokens=sum(tally.tokens for tally in tallies),
        groups={name: len(sessions) for name, sessions in groups.items()} if by else {},
        left_out=streams.left_out,
        moderated=bool(held.pii or held.blocklist or held.patterns or held.detectors),
    )


def _groups(streams: Sequence[Stream], by: By | None) -> dict[str, list[list[Stream]]]:
    """The sessions, each with its turns, by group; the smallest groups go together."""
    sessions: dict[tuple[str, str], list[Stream]] = {}
    for stream in streams:
        group = (getattr(stream, by) or "(unnamed)") if by else ""
        sessions.setdefault((group, stream.session), []).append(stream)
    sizes = Counter(group for group, _ in sessions)
    kept = {group for group, _ in sizes.most_common(MAX_GROUPS if len(sizes) <= MAX_GROUPS else MAX_GROUPS - 1)}
    groups: dict[str, list[list[Stream]]] = {}
    for (group, _), turns in sessions.items():
        groups.setdefault(group if group in kept else OTHERS, []).append(turns)
    return groups


def _weights(groups: Mapping[str, Sequence[object]], shares: Mapping[str, float]) -> dict[str, float]:
    """What a session of each group counts."""
    if unknown := [name for name in shares if name not in groups]:
        raise SettingsError(f"no session of {unknown[0]!r} to weigh; there are {', '.join(groups)}")
    return {name: shares.get(name, 1.0) / len(sessions) for name, sessions in groups.items()}


def _deal(groups: Mapping[str, list[list[Stream]]], batches: int, seed: int) -> list[tuple[str, list[Stream]]]:
    """Batches of whole sessions of one group each; at least two a group, where it has two sessions."""
    random = np.random.default_rng(seed)
    total = sum(map(len, groups.values()))
    dealt: list[tuple[str, list[Stream]]] = []
    for group, sessions in groups.items():
        count = min(len(sessions), max(2, round(batches * len(sessions) / total)))
        order = random.permutation(len(sessions))
        dealt += [(group, [turn for i in order[k::count] for turn in sessions[i]]) for k in range(count)]
    return dealt


def _blocks(batches: Sequence[list[Stream]]) -> list[list[list[Stream]]]:
    """Batches to walk together."""
    blocks: list[list[list[Stream]]] = []
    room = 0
    for members in batches:
        tokens = sum(len(stream.ends) for stream in members)
        if not blocks or tokens > room:
            blocks.append([])
            room = BLOCK
        blocks[-1].append(members)
        room -= tokens
    return blocks
