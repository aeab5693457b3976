"""What a run of the harness is to do: its sessions, its kills, and what goes wrong beside them.

Rules
- A plan is data. The same plan draws the same sessions, faults and lives; only the machine's timing differs.
- Every feature is on unless it is left out, and a run without any is kills and a vendor's faults alone.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

VENDORS: Final = ("cxone", "cognigy")

FEATURES: Final = {
    "away": "desktops go away and come back; one of them loses what it had not shown",
    "plain": "desktops that get the text alone, and one that confirms nothing",
    "ids": "vendor's ids that count on, are merely unique, are one for the stream, or are none",
    "texts": "texts with lines, table rows and digits that come again",
    "stops": "some lives end by SIGTERM, between the kills",
    "settled": "more is settled than is held in memory; at the end a restart over it, and new sessions after that",
    "console": "in some lives nobody reads standard output and standard error",
    "disk": "the data directory's disk is full now and then, for some seconds",
    "viewers": "callers with a session's read-only URL, who leave when they like",
}
"""What a run may have beside kills, vendor's faults and analysts who hold the database."""

ALL: Final = frozenset(FEATURES)

Resumes: TypeAlias = Literal["auto", "exact", "repeats"]


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

    pace      seconds between two tokens of a stream
    streams   tokens of real streams to make the sessions' answers of; without any, text is made up
    features  of `FEATURES`
    resumes   how CXone goes on, and what its section says of that: "exact" (nothing comes again), "repeats" (it may,
              and only the text shows it), "auto" (what comes again has the ids that it had)
    within    seconds after which the run is given up
    """

    seed: int
    cxone: Share
    cognigy: Share
    pace: float = 0.1
    streams: tuple[tuple[str, ...], ...] = ()
    features: frozenset[str] = ALL
    resumes: Resumes = "auto"
    within: float = 600.0

    @classmethod
    def of(
        cls,
        seed: int,
        sessions: int,
        kills: int,
        streams: tuple[tuple[str, ...], ...] = (),
        features: frozenset[str] = ALL,
        resumes: Resumes = "auto",
    ) -> Plan:
        """A plan in proportion: most kills fall on CXone, whose turns can go on after one."""
        cognigy_sessions, cognigy_kills = sessions * 3 // 10, max(1, kills * 15 // 100)
        cxone_sessions, cxone_kills = sessions - cognigy_sessions, kills - cognigy_kills
        return cls(
            seed,
            Share(cxone_sessions, cxone_sessions * 3 // 4, cxone_kills, max(60, 10 * cxone_kills), (0.3, 2.8)),
            Share(cognigy_sessions, cognigy_sessions // 3, cognigy_kills, 60, (0.5, 4.0 * kills / cognigy_kills)),
            streams=streams,
            features=features,
            resumes=resumes,
            within=300.0 + 12.0 * kills,
        )

    def share(self, vendor: str) -> Share:
        return self.cxone if vendor == "cxone" else self.cognigy


class Session(msgspec.Struct):
    """One session of the plan, and where it is shown.

    ids      the kind of the vendor's ids (streams.IDS)
    repeats  whether its vendor begins again with what it had sent
    last     begun only after the last restart
    """

    vendor: str
    name: str
    prompt: str
    text: str
    desktop: str
    ids: str = "counting"
    repeats: bool = False
    last: bool = False
