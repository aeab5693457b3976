"""Which stream a request gets, and how far it has come. No I/O.

Rules
- A start gets the stream whose prompt it is; or one that its prompt names ("stream 17", "stream refund with
  drop=rst@12,429"); or the next of the corpus, round and round.
- A start that was refused, or broke off before a token was whole, gets the same turn again, with the faults
  that are left of it.
- Turns are remembered to a bound, the oldest forgotten first; a continuation of one forgotten is unknown.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from connectors.errors import SettingsError
from connectors.simulator.corpus import Corpus, TokenStream
from connectors.simulator.faults import Faults, Progress

MAX_TURNS: Final = 100_000

FaultPlan = Faults | str | Mapping[str, Faults | str] | Callable[[TokenStream], Faults]
"""Faults for every stream; by the stream's name ("*": for the rest); or asked for at each turn."""

K = TypeVar("K")

_BY_NAME = re.compile(r"stream (\S{1,200})(?: with (\S.{0,1000}))?")


class UnknownStreamError(SettingsError):
    """The corpus has no stream of that name."""


class SimulatedTurn:
    """One answer of the model, over all requests for it.

    requests  requests for it so far
    answers   those that were answered by a stream
    sent      tokens that have gone out, repeated ones counted once
    """

    def __init__(self, number: int, stream: TokenStream, faults: Faults) -> None:
        self.number = number
        self.stream = stream
        self.progress = Progress(faults)
        self.requests = 0
        self.answers = 0
        self.sent = 0


class Turns:
    """The turns of a gateway.

    prompts  names of streams by prompt; they come before the corpus' own prompts

    Raises SettingsError where a stream that is named is not in the corpus, or a fault is wrong.
    """

    def __init__(self, corpus: Corpus, plan: FaultPlan, prompts: Mapping[str, str] | None = None) -> None:
        self._corpus = corpus
        self._faults, self.general = _planned(plan, corpus)
        self._prompts = {prompt: _named(corpus, name) for prompt, name in (prompts or {}).items()}
        self._turns: OrderedDict[int, SimulatedTurn] = OrderedDict()
        self._again: OrderedDict[str, SimulatedTurn] = OrderedDict()
        self._next_turn = 0
        self._next_stream = 0

    def start(self, prompt: str) -> SimulatedTurn:
        """The turn that a first request begins. Raises SettingsError where its prompt names what is not."""
        if prompt in self._again:
            return self._again.pop(prompt)
        stream, faults = self._choose(prompt)
        turn = SimulatedTurn(self._next_turn, stream, faults)
        self._next_turn += 1
        _keep(self._turns, turn.number, turn)
        return turn

    def again(self, prompt: str, turn: SimulatedTurn) -> None:
        """The next start of this prompt is a retry of this turn."""
        _keep(self._again, prompt, turn)

    def find(self, number: int) -> SimulatedTurn | None:
        """A turn by its number, unless it is forgotten."""
        return self._turns.get(number)

    def _choose(self, prompt: str) -> tuple[TokenStream, Faults]:
        stream = self._prompts.get(prompt) or self._corpus.asked(prompt)
        if stream is None and (named := _BY_NAME.fullmatch(prompt)):
            stream = _named(self._corpus, named[1])
            if named[2]:
                return stream, Faults.parse(named[2])
        if stream is None:
            stream = self._corpus.at(self._next_stream)
            self._next_stream += 1
        return stream, self._faults(stream) if stream.faults is None else stream.faults


def _planned(plan: FaultPlan, corpus: Corpus) -> tuple[Callable[[TokenStream], Faults], Faults]:
    """The plan as a function, and the faults that hold for the gateway as a whole."""
    if isinstance(plan, Faults | str):
        faults = _parsed(plan)
        return (lambda stream: faults), faults
    if isinstance(plan, Mapping):
        rest = _parsed(plan.get("*", ""))
        by_name = {_named(corpus, name).name: _parsed(faults) for name, faults in plan.items() if name != "*"}
        return (lambda stream: by_name.get(stream.name, rest)), rest
    return plan, Faults()


def _parsed(faults: Faults | str) -> Faults:
    return Faults.parse(faults) if isinstance(faults, str) else faults


def _named(corpus: Corpus, name: str) -> TokenStream:
    stream = corpus.find(name)
    if stream is None:
        some = ", ".join(corpus.names[:12])
        raise UnknownStreamError(f"the corpus has no stream {name[:80]!r}: it has {some}, and numbers from 0")
    return stream


def _keep(where: OrderedDict[K, SimulatedTurn], key: K, turn: SimulatedTurn) -> None:
    where[key] = turn
    while len(where) > MAX_TURNS:
        where.popitem(last=False)
