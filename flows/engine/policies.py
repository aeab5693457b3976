"""Which moderation policy a turn gets: its tenant's, with the block list that its open names.

Rules
- A list is named by the hash of its content (connectors/job/blocklists.py), so a policy is a function of the log alone.
- Policies are compiled once and shared; the `MAX_POLICIES` used last are remembered.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from connectors.job.blocklists import kept_terms
from connectors.log.records import Record
from flows.moderation import Policy
from flows.settings import Settings

MAX_POLICIES = 64


class Policies:
    """`lists` is the folder that the log's block lists are kept in."""

    def __init__(self, settings: Settings, lists: Path) -> None:
        self._settings = settings
        self._lists = lists
        self._policy = functools.lru_cache(MAX_POLICIES)(self._build)

    def of(self, opened: Record) -> Policy:
        """The policy of a turn. Raises InputError where its block list is not kept."""
        request = opened.fields
        tenant, digest = request.get("tenant"), request.get("blocklist")
        own = isinstance(tenant, str) and tenant in self._settings.tenants  # those without settings share one entry
        return self._policy(tenant if own else None, None if digest is None else str(digest))

    def _build(self, tenant: str | None, digest: str | None) -> Policy:
        own = self._settings.tenants.get(tenant or "")
        policy = own.moderation if own else self._settings.moderation
        if digest is None:
            return policy
        return msgspec.structs.replace(policy, blocklist=policy.blocklist + kept_terms(self._lists, digest))
