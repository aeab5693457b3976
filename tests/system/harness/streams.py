"""A stream of its own for each session of a plan, with ids of some kind and faults of its own.

Rules
- What goes wrong beside the kills is what a careful client survives with the whole text; where a vendor has no way to
  go on (Cognigy, a stream without ids), only kills break a stream.
- A vendor names its frames in one way: an account has ids of one kind, and now and then a stream without any. Three
  seeds in a row have all kinds.
- A vendor repeats what it had sent only where that can be told: with ids that tell, under the ids that it had; without,
  where the service is told that it "repeats", and then in texts of words alone (docs/recovery.md states that limit).
- With one id for the whole stream the vendor goes on behind what it had *sent*: what was on the way at a kill is lost
  to both (truth.py), unless it begins `OVERLAP` tokens back.
"""

from __future__ import annotations

import contextlib
import random
from typing import Final

from connectors.errors import SettingsError
from connectors.simulator import Corpus, TokenStream
from connectors.simulator.faults import Faults
from tests.system.harness import texts
from tests.system.harness.desktops import DESKTOPS
from tests.system.harness.plan import VENDORS, Plan, Resumes, Session

IDS: Final = {"counting": "", "unique": "ids=event:named=unique", "shared": "ids=stream", "none": "ids=none"}
"""The kinds of a vendor's ids, in the words of the simulator."""

ACCOUNTS: Final = ("unique", "shared", "counting")
WITHOUT: Final = 0.15
"""The share of streams without ids."""

OVERLAP: Final = 12

BREAKS: Final = ("fin", "rst", "end")
STORMS: Final = {"": 80, "503=1": 7, "500=1:on=continue": 5, "401=1": 4, "429=1:retry-after=0:on=start": 4}
"""By how often they come. Each slows the whole account down, so that more would leave few sessions mid-stream."""
LIBERTIES: Final = ("", "", "eol=crlf,comments=3", "split=2", "pieces=7", "heartbeat=0.3", "lines")
COUNTING_LIBERTIES: Final = (*LIBERTIES, "ids=both", "ids=data")
SHORT_TOKENS: Final = 24


def sessions_of(plan: Plan, rng: random.Random) -> tuple[Corpus, dict[str, list[Session]]]:
    """The corpus that the vendors serve, and each vendor's sessions in the order in which they are begun."""
    streams: list[TokenStream] = []
    sessions: dict[str, list[Session]] = {vendor: [] for vendor in VENDORS}
    for vendor in VENDORS:
        places = {
            name: each
            for name, each in DESKTOPS.items()
            if vendor in each.vendors and (each.needs is None or each.needs in plan.features)
        }
        share = plan.share(vendor)
        for number in range(share.sessions):
            wanted = round(share.tokens * rng.uniform(0.8, 1.2))
            desktop = rng.choices(list(places), [each.weight for each in places.values()])[0]
            if number == 0 and "crashes" in places:
                wanted, desktop = SHORT_TOKENS, "crashes"  # a desktop that crashes waits for its first turn's end
            _add(plan, vendor, f"{vendor}-{number}", wanted, desktop, rng, streams, sessions)
        for desktop in places if "settled" in plan.features else ():
            _add(plan, vendor, f"{vendor}-last-{desktop}", SHORT_TOKENS, desktop, rng, streams, sessions, last=True)
    return Corpus(streams), sessions


def _add(
    plan: Plan,
    vendor: str,
    name: str,
    wanted: int,
    desktop: str,
    rng: random.Random,
    streams: list[TokenStream],
    sessions: dict[str, list[Session]],
    *,
    last: bool = False,
) -> None:
    ids = "none" if rng.random() < WITHOUT else account_ids(plan)
    if vendor == "cognigy" or "ids" not in plan.features:
        ids = "counting"
    varied = "texts" in plan.features and (vendor == "cognigy" or plan.resumes != "repeats")
    kind = rng.choice(list(texts.KINDS)) if varied else "words"
    tokens = texts.joined(plan.streams, wanted, rng) if plan.streams else texts.KINDS[kind](wanted, rng)
    stream = TokenStream(name, tuple(tokens))
    streams.append(stream)
    faults = "" if last else faults_of(vendor, ids, plan.resumes, rng, len(tokens))
    prompt = f"stream {name}" + (f" with {faults}" if faults else "")
    sessions[vendor].append(Session(vendor, name, prompt, stream.text, desktop, ids, "repeat=" in faults, last))


def faults_of(vendor: str, ids: str, resumes: Resumes, rng: random.Random, length: int) -> str:
    """What goes wrong with one stream beside the kills, and what ids it has."""
    if vendor == "cognigy":  # a break would be an interruption of its own
        return rng.choice(("", "pack=3", "pieces=7", "stall=1@5", "heartbeat=0.3", "usage=each"))
    places = sorted(rng.sample(range(length), 3))
    breaks = [f"drop={rng.choice(BREAKS)}@{place}" for place in places[: rng.randrange(4)]]
    if rng.random() < 0.1:
        breaks.append(f"drop=fin@{length // 3}:revoke")
    if ids == "none":
        breaks = []
    storm = rng.choices(list(STORMS), list(STORMS.values()))[0]
    liberty = rng.choice(COUNTING_LIBERTIES if ids == "counting" else LIBERTIES)
    faults = [*breaks, storm, liberty, rng.choice(("", f"stall=1@{length // 2}")), IDS[ids]]
    if resumes == "repeats":
        faults.append(f"repeat={OVERLAP}")
    elif resumes == "auto" and breaks and ids != "shared":
        faults.append(f"repeat={rng.randrange(9)}")
    return ",".join(filter(None, faults))


def account_ids(plan: Plan) -> str:
    """The kind of a run's ids; those that count on where the simulator knows no such."""
    kind = ACCOUNTS[plan.seed % len(ACCOUNTS)]
    return kind if kind in known_ids() else "counting"


def known_ids() -> list[str]:
    """The kinds of ids that the simulator has words for."""
    known: list[str] = []
    for kind, word in IDS.items():
        with contextlib.suppress(SettingsError):
            Faults.parse(word)
            known.append(kind)
    return known
