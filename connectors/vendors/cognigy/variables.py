"""A dialog's variables at the end of a turn: what is posted to Cognigy.AI's dialog API, and how (docs/vendors.md).

Rules
- An update is named by (session_id, turn) and posted until a 2xx is recorded; then never again, and if it must be
  repeated before that, with the same values. Names are remembered for `remember` seconds after that.
- Updates of one dialog go one after the other, in their order: the newest turn's values are the ones that stay.
- 429, 5xx and a vendor that cannot be reached are tried again with back-off, `max_retries` times and for
  `retry_total` seconds; any other status is final. What is given up is told once, as a dead letter, and counted.
- An orderly end drains for `drain_timeout`; the rest stays stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from connectors.backoff import Backoff, BackoffSettings, parse_retry_after
from connectors.delivery.entry import Entry
from connectors.delivery.ledger import Ledger, wall_clock
from connectors.delivery.segment import Delivered
from connectors.errors import CredentialsError, DataDirError, SettingsError
from connectors.http import HttpError, StatusError
from connectors.log.records import Summary
from connectors.vendors.attempts import Gate
from connectors.vendors.base import DeadLetter
from connectors.vendors.cognigy.account import CognigyAccount
from connectors.vendors.cognigy.dialogs import KeyedLock
from connectors.vendors.cognigy.settings import SET_VARIABLES, DialogSettings

TO: Final = "dialog"
"""The name that the journal knows the dialog API by."""

CLOSE_TIMEOUT: Final = 2.0
READ_AGAIN_AFTER: Final = 1.0

log = logging.getLogger(__name__)


OnDeadLetter: TypeAlias = Callable[[DeadLetter], object]


class StoredUpdate(msgspec.Struct, frozen=True, gc=False):
    """A turn's summary as the journal has it, named as one message of its turn that is the only one."""

    session_id: str
    turn: int
    dialog_id: str
    response: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    seq: int = 0
    final: bool = True

    @classmethod
    def of(cls, summary: Summary) -> StoredUpdate:
        _, *fields = msgspec.structs.astuple(summary)
        return cls(*fields)

    def variables(self) -> dict[str, list[dict[str, str | int]]]:
        """The body of the request."""
        values: dict[str, str | int] = {
            "llm_response": self.response,
            "llm_prompt_tokens": self.prompt_tokens,
            "llm_completion_tokens": self.completion_tokens,
            "llm_total_tokens": self.total_tokens,
        }
        return {"variables": [{"name": name, "value": value} for name, value in values.items()]}


_decode = msgspec.json.Decoder(StoredUpdate).decode


class _PostError(Exception):
    """A request that did not end in a 2xx. `final`: another try cannot help."""

    def __init__(self, reason: str, *, final: bool = False, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.retry_after = retry_after


class VariablesWriter:
    """What posts the stored updates. All but `count` runs on the reactor's thread."""

    def __init__(self, account: CognigyAccount, settings: DialogSettings, on_dead_letter: OnDeadLetter | None) -> None:
        self.counts: Counter[str] = Counter()
        self._account = account
        self._settings = settings
        self._on_dead_letter = on_dead_letter
        self._gate = Gate()
        self._locks = KeyedLock()
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._account.hold()
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._settings.parallel)]

    def wake(self, receivers: set[str]) -> None:
        self._news.set()

    async def stop(self) -> None:
        """Wait until nothing is left, at most `drain_timeout`; then let go."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_timeout):
                while self._ledger.waiting(TO):
                    self._settled.clear()
                    await self._settled.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        await self._account.release()

    def count(self, facts: list[Delivered]) -> None:
        """What was settled. Called by the flow's thread too, which drops updates where too many wait."""
        for fact in facts:
            if fact.how == "ack":
                self.counts["delivered"] += 1
            elif fact.how == "dropped":
                self.counts["dropped"] += 1
                self._tell(fact.session_id, fact.turn, "queue_full")

    async def _run(self) -> None:
        while True:
            try:
                entry = self._ledger.take(TO)
            except DataDirError as error:
                log.error("%s; the updates stored in it wait", error)  # noqa: TRY400  # the error says it all
                await asyncio.sleep(READ_AGAIN_AFTER)
                continue
            if entry is None:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                await self._deliver(entry)
            except Exception as error:  # whatever it is, the other updates must go on; its message may quote one
                log.error("session %s: %s while setting variables", entry.session_id, type(error).__name__)  # noqa: TRY400  # for the same reason
                self._give_up(entry, "failed")
            self._settled.set()
            self._news.set()  # there is room for one more

    async def _deliver(self, entry: Entry) -> None:
        settings, update = self._settings, _decode(entry.body)
        backoff = Backoff(
            random.random,
            BackoffSettings(settings.retry_base, settings.retry_cap, settings.max_retries, settings.retry_total),
        )
        async with self._locks.passing(update.dialog_id):
            while True:
                try:
                    await self._post(update)
                except _PostError as problem:
                    asked = parse_retry_after(problem.retry_after, time.time())
                    wait = None if problem.final else backoff.next(time.monotonic(), asked)
                    if wait is None:
                        self._give_up(entry, problem.reason)
                        return
                    self.counts["retried"] += 1
                    await asyncio.sleep(wait)
                else:
                    self._ledger.acknowledge(TO, *entry.name)
                    return

    async def _post(self, update: StoredUpdate) -> None:
        """One request. Raises _PostError unless it ends in a 2xx."""
        if update.dialog_id.strip(".") == "":
            raise _PostError("dialog_id", final=True)  # a path that leads elsewhere
        await self._gate.admit()
        self.counts["posted"] += 1
        try:
            response = await self._account.http.request(
                "POST",
                self._account.variables_url(update.dialog_id),
                headers={"Accept": "application/json"},
                json=update.variables(),
                auth=self._account.auth,
                within=self._settings.timeout,
            )
            status, retry_after = response.status, response.headers.get("retry-after")
        except StatusError as problem:  # of the token's endpoint
            status, retry_after = problem.status, problem.retry_after
            if status not in (429, 503):
                raise _PostError("credentials") from None
        except HttpError as problem:
            self._gate.failed()
            raise _PostError(problem.kind) from None
        except (CredentialsError, SettingsError):
            raise _PostError("credentials") from None
        if status == 429:
            self._gate.throttled(parse_retry_after(retry_after, time.time()))
            raise _PostError("rate_limited", retry_after=retry_after)
        if status >= 500 or status in (408, 425):
            self._gate.failed()
            raise _PostError(f"status_{status}", retry_after=retry_after)
        self._gate.succeeded()
        if not 200 <= status < 300:
            raise _PostError(f"status_{status}", final=True)

    def _give_up(self, entry: Entry, reason: str) -> None:
        """Report first: twice after a crash is better than never."""
        self.counts["dead_letters"] += 1
        self._tell(entry.session_id, entry.turn, reason)
        self._ledger.settle(TO, entry, "unconfirmed")

    def _tell(self, session_id: str, turn: int, reason: str) -> None:
        log.warning("session %s: the dialog's variables could not be set (%s)", session_id, reason)
        if self._on_dead_letter is not None:
            try:
                self._on_dead_letter(DeadLetter(session_id, turn, wall_clock(), reason, SET_VARIABLES))
            except Exception:
                log.exception("a callback of the dialog's updates failed; they go on")
