"""What a vendor is: the one object through which all that lies outside its folder knows it.

Rules
- A vendor is a folder, or a package of its own, that offers an instance of a subclass of `Vendor` (registry.py says
  where it is looked for). Nothing outside that folder names it.
- Who calls what, and when:

      settings are loaded            sections, environment, preset
      a request comes                needs
      a live job is built            account(): opens nothing, needs no credentials
      its flow is built              account.sinks(), where it has sinks of its own
      the flow starts, on the reactor    account.gateway(), once; then check() unless callers may ask
      a turn begins or goes on       gateway.converse(), which logs every frame before anything is made of it
      the job ends                   gateway.aclose()
      in gateway and flow            decoder(), one a turn, and the same frames in the same order
      a stream is imported           claims(), with every message until one vendor is found
      a stream is written by us      frame(): imports, made-up recordings, the simulator
      simulate, the demo, tests      simulator(); in the demo, scene() first

- Importing a vendor costs nothing that a replay does not need: HTTP client, WebSocket library and simulator are
  imported by the method that uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import msgspec

from connectors.errors import TokenweirError

if TYPE_CHECKING:  # what only a live job has
    from connectors.log.lane import Lane
    from connectors.log.turns import Turn
    from connectors.reactor import Reactor
    from connectors.simulator.vendor import SimulatedVendor
    from connectors.vendors.decoding import Decoder


class Scene(NamedTuple):
    """What the demo plays of a vendor, and how it knows what must come of it.

    faults     by stream of the simulator's own corpus, what goes wrong with it (connectors/simulator/faults.py)
    cut_short  those of them whose answer cannot be whole: what was lost is said, not invented
    options    of the simulator, beside
    settings   of the job: a tree as of TOML, beside what `simulated` says
    told       what a simulator was told by the vendor's own sinks of a stream's turn: texts that were shown
    """

    faults: Mapping[str, str]
    cut_short: frozenset[str] = frozenset()
    options: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}
    told: Callable[[Any, str], list[str]] | None = None


class Outcome(NamedTuple):
    """How a turn ended: the reason that its close was logged with, and the error behind it, if any."""

    reason: str
    fault: TokenweirError | None = None


class Gateway(Protocol):
    """A vendor's client. Made and used on the reactor."""

    @property
    def model(self) -> str:
        """The model of sessions that name none."""

    async def converse(self, turn: Turn, lane: Lane) -> Outcome:
        """Run one turn to its end, or continue it if it has frames; logs everything but its first open."""

    async def check(self) -> None:
        """Raise TokenweirError where the vendor cannot be used at all."""

    async def aclose(self) -> None:
        """Close every socket."""


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """Something for a vendor that was given up.

    step    the step id of the sink that gave it up
    at      wall clock, microseconds
    reason  in one word; of a dialog's variables: status_<code>, rate_limited, queue_full, dialog_id (none that a path
            can hold), credentials, failed (an error of ours), or the kind of an HttpError: connect, tls, timeout …
    """

    session_id: str
    turn: int
    at: int
    reason: str
    step: str


class Place(NamedTuple):
    """Where a vendor's own sinks work.

    data_dir, lane  as in the settings: what a sink keeps, it keeps in a folder of its own there
    reactor         where its sockets live
    on_dead_letter  called with what is given up
    on_full         called when the disk is full; True where that made room, and the write is worth another try
    """

    data_dir: Path
    lane: str
    reactor: Reactor
    on_dead_letter: Callable[[DeadLetter], object]
    on_full: Callable[[], bool]


class OwnSink(Protocol):
    """A Bytewax sink of lists of Summary (connectors/log/records.py), of which these are asked beside."""

    @property
    def undelivered(self) -> int:
        """Updates that are stored and not done."""

    def failure(self) -> TokenweirError | None:
        """After the job's end: what is to be said of updates that were not taken, if any."""


class Account:
    """One job's dealings with a vendor. Building it opens nothing and needs no credentials."""

    def gateway(self) -> Gateway:
        """The client. Raises SettingsError where credentials or addresses are missing."""
        raise NotImplementedError

    def sinks(self, place: Place) -> Mapping[str, OwnSink]:
        """What takes the summaries of turns at this vendor, by step id: those of `Vendor.journals`."""
        return {}


class Vendor:
    """See the rules above.

    name         as in `tokenweir run NAME`, in recordings and rows: small letters, digits and _
    title        as people write it
    about        what its job does, in a sentence, and `service` how callers reach one that has no list of sessions
    transport    what its answers come over, as people say it
    continues    whether an answer that broke off can be continued where it broke
    sections     its sections of the settings: the name of the table, and the struct that it is read into
    environment  names of environment variables: (section, key)
    preset       settings that its contract asks for where the user says nothing else: a tree as of TOML
    fallback     whether its contract has agents read a text of ours where an answer failed
    journals     of its own sinks: by step id, the folder in the data directory of the journal that the sink's
                 snapshot is a position in. Both names are kept for ever
    needs        fields without which it can do nothing with a request
    takes        what it passes on beyond a prompt: `system` and `history` of a conversation, and options by name
    paths        what the paths end with where it is asked
    live         whether it can be run and simulated; one that cannot is known for its recordings
    desktop      whether a session without an agent desktop is a mistake, as no caller reads along
    asking       how its simulator is asked for a stream, in words
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    service: ClassVar[str] = "it takes sessions at POST /sessions until SIGTERM or SIGINT."
    transport: ClassVar[str] = "Server-Sent Events"
    continues: ClassVar[bool] = False
    sections: ClassVar[Mapping[str, type[msgspec.Struct]]] = {}
    environment: ClassVar[Mapping[str, tuple[str, str]]] = {}
    preset: ClassVar[Mapping[str, Any]] = {}
    fallback: ClassVar[bool] = False
    journals: ClassVar[Mapping[str, str]] = {}
    needs: ClassVar[tuple[str, ...]] = ("prompt",)
    takes: ClassVar[frozenset[str]] = frozenset()
    paths: ClassVar[tuple[str, ...]] = ()
    live: ClassVar[bool] = True
    desktop: ClassVar[bool] = True
    asking: ClassVar[str] = "the prompt 'stream NAME'"

    def decoder(self) -> Decoder:
        """What reads one turn's frames. A core."""
        raise NotImplementedError

    def claims(self, message: dict[str, Any]) -> bool:
        """Whether a frame's JSON is a message of this contract: so an import finds out whose a stream is."""
        return False

    def frame(self, token: str, finished: bool) -> str:
        """A token as the frame in which the vendor would have sent it; one that is `finished` ends the answer."""
        raise NotImplementedError

    def account(self, sections: Mapping[str, Any]) -> Account:
        """What a live job speaks to it through; `sections` holds this vendor's settings by their tables' names."""
        raise NotImplementedError

    def shown_chars(self, sections: Mapping[str, Any]) -> int:
        """Characters of a turn's answer that its own sinks want to be told at the turn's end."""
        return 0

    def simulator(self, corpus: Any = None, **options: Any) -> SimulatedVendor:
        """A server on loopback that speaks its contract; the options are SimulatedVendor's."""
        raise NotImplementedError

    def scene(self) -> Scene | None:
        """What the demo plays of it; None for nothing."""
        return None

    def simulated(self, url: str) -> Mapping[str, str]:
        """Environment variables under which a job speaks to its simulator at this address."""
        raise NotImplementedError
