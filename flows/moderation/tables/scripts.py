"""Classes of characters, as the inside of a regular expression's character class."""

from __future__ import annotations

UNSPACED = (
    r"\u0e00-\u0e4f\u0e5a-\u0ecf\u0eda-\u0eff\u1000-\u103f\u104a-\u108f\u109a-\u109f\u1780-\u17df\u17ea-\u17ff"
    r"\u2e80-\u30ff\u3100-\u318f\u31a0-\u31bf\u31f0-\u4dbf\u4e00-\ua4cf"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese. Their digits make words as
any digits do, and are not in here."""

OPEN_BREAKS = (
    r"\s\x00-\x1f,;:\"/\\()\[\]{}<>=\u00ab\u00bb\u2010-\u2027\u2030-\u205e\uff08\uff09\uff0c-\uff0f\uff1a-\uff1f"
)
"""What ends a word for good, whatever it was to become: a part of `WORD_BREAKS`."""

WORD_BREAKS = (
    OPEN_BREAKS + r"#%&'\-.?^_`~"
    r"\u00a1-\u00a2\u00a4\u00a6-\u00a9\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bf\u00f7"
    r"\u2190-\u23ff\u2500-\u27bf\u27e6-\u27ef\u2900-\u2bff"
    r"\uff02\uff03\uff05-\uff07\uff3b-\uff40\uff5b\uff5d-\uff65"
)
"""What no word of a block list has inside: neither letters, digits and marks, nor signs that stand for letters."""
