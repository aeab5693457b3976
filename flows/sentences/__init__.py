"""Text that is still arriving, cut into sentences the moment they are whole.

    splitter = SentenceSplitter(language="de")
    for token in tokens:
        for sentence in splitter.feed(token): ...
    rest = splitter.flush()

Where things are
- `languages/`: tables, and how the language of a text is found. **A new language or abbreviation goes there.**
- `rules.py`: the rules for a full stop, question mark or list marker, in the order in which they are asked;
  `abbreviations.py`: those for the word before a full stop.
- `lines.py`: the rules for a line break, and markdown's lines: headings, tables, code fences.
- `stops.py`, `signs.py`: what a rule may look at, and the characters that all of them speak of.
- `splitter.py`: the scanner, which finds the places and asks.
"""

from flows.sentences.splitter import SentenceSplitter

__all__ = ["SentenceSplitter"]
