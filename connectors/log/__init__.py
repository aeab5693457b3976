"""The log: its records and files, a process's partition of it (the lane), and Bytewax's sources over it.

records.py (core) is the vocabulary; files.py reads the files, and writer.py writes them, stamped by clock.py;
turns.py and traces.py (cores) are what they say of turns; lane.py is the live end; shards.py (core) deals records out
to the flow, and resume.py says from where on; source.py and playback.py are Bytewax's way in; reserve.py keeps disk
space back.
"""
