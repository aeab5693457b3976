"""A live job: requests in, turns begun, continued and ended, and the source over its lane.

runtime.py says who owns what, and opens and closes it; source.py is Bytewax's way to that and to the log. requests.py
says what a caller may ask; job.py runs the turns; blocklists.py watches the lists; detectors.py asks remote detectors,
and sink.py is Bytewax's way to it.
"""
