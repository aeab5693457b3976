"""Moderation: nothing that must not be shown leaves, and nothing else is held back.

Detectors say what is in a text and what may still come; the policy says what to do about it; the moderator cuts
before the first thing that is undecided and gives out what lies before the cut.
"""

from __future__ import annotations

from flows.moderation.findings import Action, Finding, Match, Span
from flows.moderation.moderator import Moderator
from flows.moderation.policy import Pattern, Policy

__all__ = ["Action", "Finding", "Match", "Moderator", "Pattern", "Policy", "Span"]
