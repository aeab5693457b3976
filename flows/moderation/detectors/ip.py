"""IP addresses: IPv4 in four decimal parts, IPv6 (RFC 4291, with zone and embedded IPv4), each with its prefix length.

Every place where one may begin is judged by itself, whatever was found before it: addresses that run into each other
(`fe80::1/10.0.0.1`) are all found, and become one finding.
Bound: an IPv6 address of 45 characters, a zone of 16, a prefix length of 4, and two characters after.
"""

from __future__ import annotations

import re
import string
from ipaddress import AddressValueError, IPv6Address

from flows.moderation.detectors.base import DIGITS, NOTHING, Scan
from flows.moderation.findings import Match

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_HOME = rf"(?:192\.168|127\.0|169\.254)\.{_OCTET}\.{_OCTET}"  # of what nobody numbers a version or a section by
_V4 = re.compile(
    rf"(?<![0-9A-Za-z_.])(?:(?:{_OCTET}\.){{3}}{_OCTET}(?!\.[0-9])|{_HOME})(?![0-9A-Za-z_])"
    r"(?=(/(?:3[0-2]|[12]?\d)(?!\d))?)",
    re.ASCII,
)
_V4_OPEN = re.compile(r"(?<![0-9A-Za-z_.])[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}\.?(?:/[0-9]{0,2})?\Z")
_VERSION = re.compile(r"\b(?:version|ver|release|build|firmware|section|chapter)[ .:]{0,2}\Z", re.IGNORECASE)
_V6_WINDOW = 45 + 16 + 4 + 1
_V6_RUN = re.compile(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z]{0,15})?(?:/[0-9]{0,3})?")
_V6_HEAD = re.compile(r"(?<![0-9A-Za-z_.])(?=[0-9A-Fa-f]{0,4}(?::|\Z))")
_LABEL = re.compile(r"(?:[^\W_]|[_-])*(?:[^\W0-9A-Fa-f_][^\W\d_]*|(?<![0-9A-Za-z])[A-Fa-f]{5,})[0-9_-]{0,2}:\Z")
_V6_PARTS = re.compile(r"([0-9A-Fa-f:.]*)(%[0-9A-Za-z]{1,15})?(?:(/(?:12[0-8]|1[01]\d|[1-9]?\d)))?(?![0-9A-Za-z_])")
_HEX = frozenset(string.hexdigits)
_V4_SIGNS = frozenset("0123456789./")
_V6_BARE = re.compile(r"([0-9A-Fa-f:.]*)(%[0-9A-Za-z]{1,15})?")
_MAC_LIKE = re.compile(r"(?:[0-9A-Fa-f]{2}:){7}[0-9A-Fa-f]{2}\Z")
_ALNUM = re.compile("[0-9A-Za-z]")
_OPERATOR = re.compile("[A-Fa-f]{0,4}::[A-Fa-f]{0,4}")
_CUE = re.compile(
    r"\b(?:ips?|ipv[46]|addr(?:ess)?|src|dst|source|destination|host|route|gateway|subnet|bind|listen|unspecified)\b",
    re.IGNORECASE,
)


class IpDetector:
    category = "IP_ADDRESS"
    bound = _V6_WINDOW + 1
    context = 48
    trigger = DIGITS + ":"

    def scan(self, text: str, start: int, open_word: int, final: bool) -> Scan:
        found, begun = _v4(text, start, final)
        more, begun_6 = _v6(text, start, final)
        begun = min(begun, begun_6)
        if not found and not more:
            return NOTHING, min(begun, max(open_word, start))
        found = sorted(m for m in found + more if m.start < begun)
        return found, min(begun, max(open_word, found[-1].start + 1 if found else start))


def _v4(text: str, start: int, final: bool) -> Scan:
    """What begins from `start` on, and where the first begins that is not complete; the text's end if all are."""
    begun = len(text)
    if not final and text[-1:] in _V4_SIGNS and (open_ := _V4_OPEN.search(text, max(start, begun - 20))):
        begun = open_.start()
    if text.find(".", start) < 0:
        return NOTHING, begun
    found = [
        Match(m.start(), m.end() + len(m[1] or ""), "v4")
        for m in _V4.finditer(text, start)
        if m.start() < begun and not _VERSION.search(text, max(0, m.start() - 10), m.start())
    ]
    return found, begun


def _v6(text: str, start: int, final: bool) -> Scan:
    """The same."""
    size = len(text)
    if text.find(":", start) < 0:  # then none begins but at the end
        if final or text[-1:] not in _HEX:
            return NOTHING, size
        start = max(start, size - 4)
    found: list[Match] = []
    head = _V6_HEAD.search(text, start)
    while head is not None and head.start() < size:
        begin = head.start()
        if text[begin - 1 : begin] == ":" and not _LABEL.search(text, max(0, begin - 24), begin):
            head = _V6_HEAD.search(text, begin + 1)  # inside an address, or what is none
            continue
        run = _V6_RUN.match(text, begin, begin + _V6_WINDOW)
        if run is None:
            if not final:
                return found, begin
        elif run.end() == size and not final and size - begin < _V6_WINDOW:
            return found, begin
        elif end := _v6_end(text, begin):
            found.append(Match(begin, end, "v6"))
        head = _V6_HEAD.search(text, begin + 1)
    return found, size


def _v6_end(text: str, begin: int) -> int:
    """The end of the IPv6 address that begins there, 0 if none does."""
    limit = begin + _V6_WINDOW  # what is behind it was not there when this was decided, or might not have been
    for parts in (_V6_PARTS.match(text, begin, limit), _V6_BARE.match(text, begin, limit)):
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
        if end - begin == len(address) and _OPERATOR.fullmatch(address) and not _told(text, begin, end):
            return 0  # the operator of half a dozen programming languages
        return end
    return 0


def _told(text: str, begin: int, end: int) -> bool:
    """Whether what stands around it tells that it is an address: a word before it, or the brackets of a URL."""
    bracketed = text[begin - 3 : begin] == "//[" and text.startswith("]", end)
    return bracketed or _CUE.search(text, max(0, begin - 24), begin) is not None
