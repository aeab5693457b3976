"""Block lists from files: read at start, read again when they change, kept by the hash of their content.

Rules
- One term a line, UTF-8; blank lines and lines that begin with `#` do not count.
- A list is kept beside the log under its SHA-256, so that the log can name it and a replay finds the very same one.
- Every change is a `policy` record of the log. A turn keeps the list that was current when it began: its open names it.
- A file that cannot be read at start is an error; one that breaks later leaves the list as it was, and is counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path

from connectors.disk.durable import write_whole
from connectors.errors import InputError, SettingsError
from connectors.log.lane import Lane
from connectors.log.records import POLICY, Record

CHECK_EVERY = 1.0
MAX_BYTES = 64 << 20
DIGEST = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger(__name__)


class Blocklists:
    """The lists of one job, by tenant; "" is everybody's. `folder` is where they are kept."""

    def __init__(self, files: Mapping[str, Path], folder: Path) -> None:
        self.failures = 0
        self._files = dict(files)
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}
        self._current: dict[str, str] = {}

    def current(self, tenant: str | None) -> str | None:
        """The hash of the list that a turn of this tenant begins with now; None where there is no file for it."""
        return self._current.get(tenant or "") or self._current.get("")

    def load(self, lane: Lane) -> None:
        """Read all lists. Raises SettingsError, naming the file and its line."""
        for tenant in self._files:
            self._use(tenant, self._read(tenant), lane)

    async def watch(self, lane: Lane) -> None:
        """Read lists again as they change, until cancelled."""
        while self._files:
            await asyncio.sleep(CHECK_EVERY)
            for tenant, path in self._files.items():
                try:
                    # In a thread: 100,000 terms take half a second, in which no socket would be read.
                    self._use(tenant, await asyncio.to_thread(self._read, tenant), lane)
                except (SettingsError, OSError) as error:
                    self.failures += 1
                    log.warning("the block list %s stays as it was: %s", path, error)

    def _read(self, tenant: str) -> tuple[str, int] | None:
        """The hash and the number of terms of a list that has changed, now kept; None where it has not."""
        path = self._files[tenant]
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
            if self._seen.get(tenant) == version:
                return None
            content = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"block list {path} cannot be read: {error.strerror}") from None
        self._seen[tenant] = version
        terms = parse_terms(content, path)
        digest = hashlib.sha256("\n".join(terms).encode()).hexdigest()
        try:
            keep_terms(self._folder, digest, terms)
        except OSError:  # a full disk: it is tried again
            del self._seen[tenant]
            raise
        return digest, len(terms)

    def _use(self, tenant: str, read: tuple[str, int] | None, lane: Lane) -> None:
        if read is not None and read[0] != self._current.get(tenant):
            digest, terms = read
            self._current[tenant] = digest
            lane.append(Record(0, k=POLICY, d={"tenant": tenant, "blocklist": digest, "terms": terms}))


def parse_terms(content: bytes, path: Path) -> tuple[str, ...]:
    """The terms of a file's content. Raises SettingsError that names the line and does not quote it."""
    if len(content) > MAX_BYTES:
        raise SettingsError(f"block list {path} is larger than {MAX_BYTES} bytes")
    terms = []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            term = line.decode().strip()
        except UnicodeDecodeError:
            raise SettingsError(f"block list {path}: line {number} is not UTF-8") from None
        if term and not term.startswith("#"):
            if not any(char.isalnum() for char in term):
                raise SettingsError(f"block list {path}: line {number} has no letter or digit")
            terms.append(term)
    return tuple(terms)


def keep_terms(folder: Path, digest: str, terms: tuple[str, ...]) -> None:
    """Keep a list under its hash; one that is there already is the same."""
    path = folder / f"{digest}.txt"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, "\n".join(terms).encode())


def kept_terms(folder: Path, digest: str) -> tuple[str, ...]:
    """A list by its hash. Raises InputError where it is not kept there, or the hash is none: it names a file."""
    if not DIGEST.fullmatch(digest):
        raise InputError("the log names a block list by what is no SHA-256; it was not made by tokenweir")
    try:
        text = (folder / f"{digest}.txt").read_text(encoding="utf-8")
    except OSError:
        raise InputError(
            f"the block list {digest[:12]}… that the log names is not in {folder}; copy it there from beside the log"
        ) from None
    return tuple(text.split("\n")) if text else ()
