"""Classes of characters, as the inside of a regular expression's character class."""

from __future__ import annotations

UNSPACED = (
    r"\u0e00-\u0e4f\u0e5a-\u0ecf\u0eda-\u0eff\u1000-\u103f\u104a-\u108f\u109a-\u109f\u1780-\u17df\u17ea-\u17ff"
    r"\u2e80-\u30ff\u3100-\u318f\u31a0-\u31bf\u31f0-\u4dbf\u4e00-\ua4cf"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese. Their digits make words as
any digits do, and are not in here."""

UNSPACED_LETTERS = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1780-\u17d3"
    r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Their letters and marks, without their punctuation."""

MARKS = (
    r"\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711\u0730-\u074a"
    r"\u07a6-\u07b0\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09d7\u0a01-\u0a51"
    r"\u0a70-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3c-\u0c56"
    r"\u0c81-\u0c83\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d4d\u0d57\u0d81-\u0d83\u0dca-\u0ddf\u1ab0-\u1aff"
    r"\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
"""Marks over, under and beside letters, of scripts that have blanks: letters as any other to a reader, not to `\\w`."""

OPEN_BREAKS = (
    r"\s\x00-\x1f,;:\"/\\()\[\]{}<>\u00ab\u00bb\u2014-\u2027\u2030-\u2042\u2044-\u205e"
    r"\uff08\uff09\uff0c\uff0f\uff1a-\uff1c\uff1e"
)
"""What ends a word for good, whatever it was to become: a part of `WORD_BREAKS`. Nothing that reads as a sign that
does not (`plain.py`)."""

WORD_BREAKS = (
    OPEN_BREAKS + r"=#%&'\-.?^_`~\u2010-\u2013\u2043\uff0d\uff0e\uff1d\uff1f"
    r"\u00a1-\u00a2\u00a4\u00a6-\u00a9\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bf\u00f7"
    r"\u2190-\u23ff\u2500-\u27bf\u27e6-\u27ef\u2900-\u2bff"
    r"\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u0609\u060a\u060c\u060d\u061b\u061d-\u061f\u066a\u066d\u06d4\u0700-\u070d"
    r"\u07f7-\u07f9\u0964\u0965\u0970\u0df4\u10fb\u1360-\u1368\u166e\u1800-\u180a"
    r"\uff02\uff03\uff05-\uff07\uff3b-\uff40\uff5b\uff5d-\uff65"
)
"""What no word of a block list has inside: neither letters, digits and marks, nor signs that stand for letters."""
