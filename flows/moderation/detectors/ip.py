"""IP addresses: IPv4 in four decimal parts, IPv6 (RFC 4291, with zone and embedded IPv4), each with its prefix length.

Bound: an IPv6 address of 45 characters, a zone of 16, a prefix length of 4, and two characters after.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.findings import Match

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_V4 = re.compile(
    rf"(?<![0-9A-Za-z_.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9A-Za-z_])(?:/(?:3[0-2]|[12]?\d)(?!\d))?", re.ASCII
)
_V4_OPEN = re.compile(r"(?<![0-9A-Za-z_.])[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}\.?(?:/[0-9]{0,2})?\Z")
_VERSION = re.compile(r"\b(?:version|ver|release|build|firmware|section|chapter)[ .:]{0,2}\Z", re.IGNORECASE)
_V6_RUN = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z]{0,15})?(?:/[0-9]{0,3})?")
_V6_HEAD = re.compile(r"(?<![0-9A-Za-z_:.])(?=[0-9A-Fa-f]{0,4}(?::|\Z))")
_V6_PARTS = re.compile(r"([0-9A-Fa-f:.]*)(%[0-9A-Za-z]{1,15})?(?:(/(?:12[0-8]|1[01]\d|[1-9]?\d)))?(?![0-9A-Za-z_])")
_V6_BARE = re.compile(r"([0-9A-Fa-f:.]*)(%[0-9A-Za-z]{1,15})?")
_MAC_LIKE = re.compile(r"(?:[0-9A-Fa-f]{2}:){7}[0-9A-Fa-f]{2}\Z")
_ALNUM = re.compile("[0-9A-Za-z]")
_CUE = re.compile(
    r"\b(?:ips?|ipv[46]|addr(?:ess)?|src|dst|source|destination|host|route|gateway|subnet|bind|listen|unspecified)\b",
    re.IGNORECASE,
)


class IpDetector:
    category = "IP_ADDRESS"
    bound = 45 + 16 + 4 + 2
    trigger = DIGITS + ":"

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        found, settled = _v4(text, start, open_word, final)
        if text.find(":", max(0, start - 1)) < 0:
            return found, settled
        more, settled_6 = _v6(text, start, open_word, final)
        settled = min(settled, settled_6)
        both = [m for m in found if not any(a.start <= m.start < a.end for a in more)] + more
        return sorted(m for m in both if m.start < settled), settled


def _v4(text: str, start: int, open_word: int, final: bool) -> Scan:
    size = len(text)
    held = None if final else _V4_OPEN.search(text, max(start, size - 20))
    settled = held.start() if held else max(open_word, start)
    if text.find(".", start) < 0:
        return NOTHING, settled
    found = [
        Match(m.start(), m.end(), "v4")
        for m in _V4.finditer(text, start)
        if m.start() < settled and not _VERSION.search(text, max(0, m.start() - 10), m.start())
    ]
    if found:
        settled = max(settled, found[-1].end)
    return found, settled


def _v6(text: str, start: int, open_word: int, final: bool) -> Scan:
    size = len(text)
    found: list[Match] = []
    head = _V6_HEAD.search(text, start)
    while head is not None and head.start() < size:
        begin = head.start()
        start = begin + 1
        run = _V6_RUN.match(text, begin, begin + 66)
        if run is not None:
            if run.end() == size and not final and size - begin < 66:
                return found, begin
            end = _v6_end(text, begin)
            if end:
                found.append(Match(begin, end, "v6"))
                start = end
        elif size - begin <= 4 and not final:
            return found, begin
        head = _V6_HEAD.search(text, start)
    return found, max(open_word, start)


def _v6_end(text: str, begin: int) -> int:
    """The end of the IPv6 address that begins there, 0 if none does."""
    for parts in (_V6_PARTS.match(text, begin), _V6_BARE.match(text, begin)):
        if parts is None:
            continue
        address = parts[1]
        end = parts.end()
        if parts[2] is None and address.endswith(".") and end == parts.end(1):
            address, end = address[:-1], end - 1
        if address.count(":") < 2 or _MAC_LIKE.match(address) or _ALNUM.match(text, end):
            continue
        if address[-1] == ":" and not address.endswith("::"):
            address, end = address[:-1], end - 1
        try:
            IPv6Address(address)
        except (AddressValueError, ValueError):
            continue
        if (
            text[max(0, begin - 1) : begin] == "["
            and begin > 1
            and (text[begin - 2].isalnum() or text[begin - 2] in ")]_")
        ):
            return 0  # an index or a slice: items[::2]
        if address == "::" and end - begin == 2 and not _CUE.search(text, max(0, begin - 24), begin):
            return 0  # the operator of half a dozen programming languages
        return end
    return 0
