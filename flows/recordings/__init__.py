"""Recordings: made from a log or from what people have, changed, and played.

captures.py takes in what was saved elsewhere (exchanges.py takes files apart, bodies.py bodies, lines.py lines of
tokens; shapes.py says whose a stream is, imports.py what its turns come to), export.py gives it back; editing.py
trims, splits and merges; recorder.py keeps what a job saw, fakes.py and disguise.py without the customers' data;
variants.py cuts and breaks streams that were whole.
"""
