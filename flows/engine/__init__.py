"""All that runs the cores: Bytewax's steps over them, the shards, the recovery store, and what a start checks.

examination.py looks longer than a start does, and backup.py copies a data directory under running jobs.
"""
