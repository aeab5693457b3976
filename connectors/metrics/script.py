"""What analysts find in the database beside the facts: queries/*.sql, over dimension tables of the settings.

Rules
- They live in the file, as tables do, so that every client has them, whichever way the job was started. That is
  why they are here, and the lander's, and not in analytics/: only a job may write to the file.
- They are plain SQL, run in the order of FILES, and may be run again. Nothing newer than DuckDB 1.0 can read, and no
  UNPIVOT: 1.5.0 to 1.5.3 cannot bind a view that holds one. tests/test_old_clients.py asks such clients.
- A view's comment is written as COMMENT ON; a column's is the remark that ends its line in the view's own list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connectors.metrics.dimensions import Prices, SloSettings, dimensions_sql
from connectors.metrics.tables import quoted
from connectors.vendors.registry import known

FOLDER: Final = Path(__file__).parent / "queries"
FILES: Final = ("dimensions", "usage", "traffic", "latency", "moderation", "interruptions")

_VIEW = re.compile(r"^CREATE OR REPLACE VIEW (\w+) AS$.*?;$", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"(\w+),?[ ]+-- (.+)$", re.MULTILINE)


def script(prices: Prices | None = None, slo: SloSettings | None = None) -> str:
    """All of it as one script for `Lander(script=...)`. The defaults: no prices, and the default targets.

    Raises `SettingsError` for prices that contradict each other.
    """
    dimensions = [f"{statement};" for statement in dimensions_sql(prices or {}, slo or SloSettings())]
    queries = [(FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in FILES]
    queries = [text.replace("{vendors}", _vendors()) for text in queries]
    comments = [statement for text in queries for statement in _column_comments(text)]
    return "\n".join([*dimensions, *queries, *comments])


def _vendors() -> str:
    """A row of SQL literals for each that there is."""
    return ", ".join(
        f"({quoted(vendor.name)}, {quoted(vendor.title)}, {quoted(vendor.transport)}, {str(vendor.continues).lower()})"
        for vendor in known().values()
    )


def _column_comments(text: str) -> Iterator[str]:
    """A statement for each remarked line of a view."""
    for view in _VIEW.finditer(text):
        for column in _COLUMN.finditer(view[0]):
            yield f"COMMENT ON COLUMN {view[1]}.{column[1]} IS {quoted(column[2])};"
