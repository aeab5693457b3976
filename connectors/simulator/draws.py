"""Faults drawn by a seed: such as a careful client survives with the whole text."""

from __future__ import annotations

import random

from connectors.simulator.faults import Drop, Faults, Ids, Place, Refusal, Repeat


def draw_faults(seed: int, length: int) -> Faults:
    """Faults that a careful client survives with the whole text of a stream of `length` tokens.

    The same seed draws the same faults, in every process. About one stream in three gets none.
    """
    rng = random.Random(seed)
    if rng.random() < 0.33:
        return Faults()
    # Without ids to tell by, a repetition is recognised only where it is long, and where it is not itself cut.
    new_ids = rng.random() < 0.3
    drops = tuple(_draw_drop(rng, length) for _ in range(rng.choice((0, 1, 1, 1 if new_ids else 2))))
    refusals = []
    if rng.random() < 0.25:
        wait = rng.choice((None, 0.0, 1.0))
        refusals.append(Refusal(rng.choice((429, 429, 503)), on=rng.choice(("start", "any")), retry_after=wait))
    if rng.random() < 0.1:
        refusals.append(Refusal(401))
    return Faults(
        refusals=tuple(refusals),
        drops=drops,
        repeat=Repeat(rng.randint(12, 20), "new") if new_ids else Repeat(rng.choice((0, 0, 1, 3, 9))),
        ids=Ids(rng.choice(("event", "event", "both", "data"))),
        eol=rng.choice(("lf", "lf", "crlf", "cr")),
        comments=rng.choice((0, 0, 1, 5)),
        lines=rng.random() < 0.2,
        split=rng.choice((1, 1, 1, 2)),
        pieces=rng.choice((0, 0, 0, 1, 7)),
        finish=rng.choice(("own", "last")),
    )


def _draw_drop(rng: random.Random, length: int) -> Drop:
    revoke = rng.random() < 0.1
    if rng.random() < 0.4:
        at = Place(rng.randint(0, 200 + 60 * length), "byte")
        return Drop(rng.choice(("fin", "rst", "end")), at, revoke=revoke)
    return Drop(rng.choice(("fin", "rst", "end", "error")), Place(rng.randint(0, length)), revoke=revoke)
