"""A query's result as an Arrow stream, and nothing else: the way from DuckDB to polars.

Rules
- This module must not know DuckDB. polars remembers every type that it was ever given, and with it that type's
  module; DuckDB's compiled half complains on standard error when any of its own outlives it at exit.
"""

from __future__ import annotations

from typing import Protocol


class Exportable(Protocol):
    """What has a stream: a DuckDB relation."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class Stream:
    """Stands before a relation: `polars.DataFrame(Stream(relation))`."""

    def __init__(self, relation: Exportable) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)
