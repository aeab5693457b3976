"""A live job: requests in, turns begun, continued and ended, and the source over its lane.

requests.py says what a caller may ask; job.py runs the turns; source.py is Bytewax's way in; blocklists.py watches the
lists; detectors.py asks remote detectors, and sink.py is Bytewax's way to it.
"""
