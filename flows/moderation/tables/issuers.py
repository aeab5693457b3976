"""Payment card issuers: ranges of leading digits, and the lengths their numbers have.

After ISO/IEC 7812 and the issuers' published ranges. (low, high, lengths): a number belongs to a row if its
leading digits, as many as `low` has, lie between `low` and `high`.
"""

from __future__ import annotations

_ROWS: tuple[tuple[str, str, range | tuple[int, ...]], ...] = (
    ("1", "1", (15,)),  # UATP; JCB's old 1800
    ("1946", "1946", (16,)),  # GPN, Indonesia
    ("2014", "2014", (15,)),  # enRoute
    ("2149", "2149", (15,)),  # enRoute
    ("2131", "2131", (15,)),  # JCB, old
    ("2200", "2204", range(16, 20)),  # Mir
    ("2205", "2205", (16,)),  # Borica, Bulgaria
    ("2221", "2720", (16,)),  # Mastercard
    ("300", "305", range(14, 20)),  # Diners Club
    ("3095", "3095", range(14, 20)),  # Diners Club
    ("34", "34", (15,)),  # American Express
    ("3500", "3599", range(16, 20)),  # JCB: 3528 to 3589, and what generators of test data make of it
    ("36", "36", range(14, 20)),  # Diners Club
    ("37", "37", (15,)),  # American Express
    ("38", "39", range(14, 20)),  # Diners Club
    ("4", "4", (13, 16, 19)),  # Visa
    ("50", "50", range(12, 20)),  # Maestro; Verve, Elo, RuPay, Dankort
    ("51", "55", (16,)),  # Mastercard
    ("56", "59", range(12, 20)),  # Maestro
    ("6", "6", range(12, 20)),  # Maestro; Discover, UnionPay, RuPay, InterPayment
    ("81", "82", range(16, 20)),  # UnionPay, RuPay
    ("8600", "8600", (16,)),  # Uzcard
    ("9051", "9051", (16,)),  # ArCa, Armenia
    ("9112", "9112", (16,)),  # Belkart
    ("9417", "9417", (16,)),  # Elcart, Kyrgyzstan
    ("9682", "9682", (16,)),  # mada, Saudi Arabia
    ("9704", "9704", (16, 19)),  # Napas
    ("9792", "9792", (16,)),  # Troy
    ("9860", "9860", (16,)),  # Humo
    ("9934", "9934", (16,)),  # Altyn Asyr, Turkmenistan
)


def _by_prefix() -> dict[str, frozenset[int]]:
    table: dict[str, frozenset[int]] = {}
    for low, high, lengths in _ROWS:
        for prefix in range(int(low), int(high) + 1):
            table[str(prefix)] = frozenset(lengths)
    return table


_LENGTHS = _by_prefix()


def lengths(digits: str) -> frozenset[int]:
    """How long a card number that begins with these (at least four) digits may be; empty if no issuer's does."""
    return (
        _LENGTHS.get(digits[:4])
        or _LENGTHS.get(digits[:3])
        or _LENGTHS.get(digits[:2])
        or _LENGTHS.get(digits[:1])
        or frozenset()
    )
