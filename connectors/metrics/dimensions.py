"""What the settings say of models and of waiting: dated prices and targets, as tables beside the facts.

Rules
- The settings are the whole truth. Whenever they changed, the next landing replaces both tables; so yesterday's
  price stays where it is and gets a successor with a later date, and corrected prices correct old costs.
- A price holds from its UTC day until the day of its successor. Money is decimal, never binary.
- What has no price has no cost: null, and counted as unpriced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from connectors.errors import SettingsError
from connectors.fields import FieldError, check_range
from connectors.metrics.tables import Column, comments_sql, quoted

MAX_PRICE: Final = Decimal(1_000_000)
PLACES: Final = 6
"""Decimal places of a price."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of `[[prices."MODEL"]]`: what a model costs from a day on.

    prompt, completion  per 1,000 tokens; up to 6 decimal places
    currency            three capitals (ISO 4217)
    since               the UTC day from which it holds
    """

    prompt: Decimal
    completion: Decimal
    currency: str = "USD"
    since: date = date(1970, 1, 1)

    def __post_init__(self) -> None:
        for name, price in (("prompt", self.prompt), ("completion", self.completion)):
            if not (price.is_finite() and 0 <= price < MAX_PRICE and price == round(price, PLACES)):
                raise FieldError(name, f"should be from 0 to below {MAX_PRICE}, with up to {PLACES} decimal places")
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise FieldError("currency", 'should be three capitals (ISO 4217), such as "EUR"')


Prices: TypeAlias = Mapping[str, Sequence[Price]]
"""Model to its prices, in any order."""


class SloSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[slo]`: how long people should wait at most, in seconds from the opening of a turn.

    first_token     until the vendor's first token
    first_sentence  until the first message leaves the flow
    on_desktop      until the desktop has confirmed that message
    """

    first_token: float = 2.0
    first_sentence: float = 4.0
    on_desktop: float = 5.0

    def __post_init__(self) -> None:
        check_range(self, *self.__struct_fields__, above=0, most=86_400, unit="seconds")


_PRICES: Final = (
    Column("model", "VARCHAR", "the model, as sessions name it"),
    Column("valid_from", "DATE", "the UTC day from which the price holds"),
    Column("valid_until", "DATE", "the UTC day on which the next price begins; null for the newest"),
    Column("prompt_price_per_1000", "DECIMAL(12, 6)", "price of 1,000 tokens of the prompt"),
    Column("completion_price_per_1000", "DECIMAL(12, 6)", "price of 1,000 tokens of the answer"),
    Column("currency", "VARCHAR", "the currency of both"),
)
_SLO: Final = (
    Column("measure", "VARCHAR", "first_token, first_sentence or on_desktop, each from the opening of the turn"),
    Column("target_ms", "BIGINT", "the most that it may take, in milliseconds"),
)


def dimensions_sql(prices: Prices, slo: SloSettings) -> Iterator[str]:
    """The statements that replace the tables `prices` and `slo`.

    Raises `SettingsError` for a model with two prices since one day.
    """
    yield from _table_sql("prices", "What models cost, from when on: the settings' [prices]", _PRICES, _priced(prices))
    targets = [(quoted(name), str(round(seconds * 1000))) for name, seconds in msgspec.structs.asdict(slo).items()]
    yield from _table_sql("slo", "How long people should wait at most: the settings' [slo]", _SLO, targets)


def _priced(prices: Prices) -> Iterator[tuple[str, ...]]:
    """A row of SQL literals for each price."""
    for model, dated in sorted(prices.items()):
        ordered = sorted(dated, key=lambda price: price.since)
        days = [price.since for price in ordered]
        for day in days:
            if days.count(day) > 1:
                raise SettingsError(f"prices.{model}: there are {days.count(day)} prices since {day}; leave one")
        for price, until in zip(ordered, [*days[1:], None], strict=True):
            yield (
                quoted(model),
                f"DATE '{price.since}'",
                f"DATE '{until}'" if until else "NULL",
                f"{price.prompt:f}",
                f"{price.completion:f}",
                quoted(price.currency),
            )


def _table_sql(name: str, comment: str, columns: Sequence[Column], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"CREATE OR REPLACE TABLE main.{name}({', '.join(f'{c.name} {c.type}' for c in columns)})"
    for row in rows:
        yield f"INSERT INTO main.{name} VALUES ({', '.join(row)})"
    yield from comments_sql("TABLE", f"main.{name}", comment, columns)
