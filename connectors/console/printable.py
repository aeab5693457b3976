"""Text of others, made harmless for a terminal.

Rules
- What a terminal would obey and not show is shown as an escape, as Python writes it (`\\x1b`, `\\u202e`): control
  characters (C0 but tab and line end, DEL, C1), signs that turn the direction of writing, halves of surrogate pairs.
- All else stays as it is. Formats for machines (JSON, CSV, an exported body) never pass here: they are exact.
"""

from __future__ import annotations

import logging
import re

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_END = re.compile(r"\n")


def printable(text: str, *, one_line: bool = False) -> str:
    """The text with an escape for what a terminal would obey; line ends too, where it is to be one line."""
    text = _UNSAFE.sub(_escape, text)
    return _LINE_END.sub(_escape, text) if one_line else text


def explanation(error: Exception) -> str:
    """What is said on standard error of an error that ends the process."""
    return f"tokenweir: {printable(str(error))}"


class PrintableFormatter(logging.Formatter):
    """A message is one line whatever is in it; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        record.message = printable(record.message, one_line=True)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802  # logging's own name
        return printable(super().formatException(ei))  # type: ignore[arg-type]  # handed on as it came


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
