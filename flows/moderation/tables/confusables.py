"""Letters that look like Latin ones, and digits and signs that stand for letters.

After Unicode's confusables (UTS 39), cut down to whole letters of scripts that are mixed into Latin words.
Compatibility forms (full width, mathematical, circled) and accents need no rows: normalisation folds them.
"""

from __future__ import annotations

_ALIKE = {
    "a": "аɑαᴀ", "b": "вьʙβᏏƅ", "c": "сϲᴄⅽς", "d": "ԁɗᴅđ", "e": "еҽєεᴇ", "f": "ƒғꜰ", "g": "ɡԍց", "h": "һнʜᏂ",
    "i": "іıɩιɪӏ", "j": "јʝϳᴊ", "k": "кκᴋ", "l": "ⅼʟḷł", "m": "мᴍ", "n": "пոηɴ", "o": "оοσөᴏօø", "p": "рρᴘ",
    "q": "ԛգ", "r": "гʀᴦ", "s": "ѕꜱʂ", "t": "тτᴛ", "u": "цυսᴜ", "v": "ѵνᴠ", "w": "ԝшωᴡա",
    "x": "хχ×", "y": "уүγʏ", "z": "ᴢʐ",
}  # fmt: skip

LOOK_ALIKES = str.maketrans(
    {mark: letter for letter, marks in _ALIKE.items() for mark in marks}
    | {chr(0x1F130 + i): chr(97 + i) for i in range(26)}
    | {chr(0x1F150 + i): chr(97 + i) for i in range(26)}
    | {chr(0x1F170 + i): chr(97 + i) for i in range(26)}
)
"""Look-alikes to the small Latin letter."""

LETTERS = {
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ə": "e", "ħ": "h",
    "\u0671": "\u0627", "\u0672": "\u0627", "\u0673": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a",
    "\u06d2": "\u064a", "\u06a9": "\u0643", "\u06aa": "\u0643", "\u06be": "\u0647", "\u06c1": "\u0647",
    "\u06d5": "\u0647",
}  # fmt: skip
"""Letters that normalisation leaves alone: Latin ones, and of Arabic the forms of alef, yeh, kaf and heh in which
Arabic, Persian and Urdu write the same word."""

_SAME = {
    "0": "o", "2": "z", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
    "$": "s", "@": "a", "+": "t", "€": "e", "£": "l", "¥": "y",
}  # fmt: skip
AS_I = str.maketrans(_SAME | dict.fromkeys("1!|", "i"))
AS_L = str.maketrans(_SAME | dict.fromkeys("17!|", "l"))
"""Digits and signs to the letter they stand for; some stand for two."""
