"""Recordings: made from a log or from what people have, changed, and played.

captures.py takes in what was saved elsewhere, export.py gives it back; editing.py trims, splits and merges;
recorder.py keeps what a job saw, fakes.py and disguise.py without the customers' data; variants.py cuts and
breaks streams that were whole.
"""
