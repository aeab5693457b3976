"""Innocent words and phrases that common block lists and their folding come too near to: allowed by default."""

from __future__ import annotations

INNOCENT = (
    "blue tit",
    "coal tit",
    "cock a doodle doo",
    "cock a hoop",
    "cock a leekie",
    "cock robin",
    "cum laude",
    "dick cheney",
    "dick tracy",
    "dick turpin",
    "dick van dyke",
    "dick whittington",
    "good",
    "goods",
    "goody",
    "great tit",
    "kung fu",
    "kung-fu",
    "magna cum laude",
    "moby dick",
    "pen is",
    "pussy willow",
    "spotted dick",
    "summa cum laude",
    "tit for tat",
)
