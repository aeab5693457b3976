"""Text that is still arriving, cut into sentences the moment they are whole.

    splitter = SentenceSplitter(language="de")
    for token in tokens:
        for sentence in splitter.feed(token): ...
    rest = splitter.flush()

Where things are
- `languages.py`: tables. **A new language or abbreviation goes there.**
- `stops.py`: the rules for a full stop, question mark or list marker, in the order in which they are asked.
- `lines.py`: the rules for a line break, and markdown's lines: headings, tables, code fences.
- `signs.py`: the characters that both speak of.
- `splitter.py`: the scanner, which finds the places and asks.
"""

from flows.sentences.splitter import SentenceSplitter

__all__ = ["SentenceSplitter"]
