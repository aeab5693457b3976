"""Delivery to the agent desktops: what waits, what was sent, what they have.

outbox.py (core) is one desktop's messages; journal.py, segment.py, history.py and recall.py keep them on disk;
ledger.py is both as one thing. connection.py brings a desktop its messages, presence.py says whether it is there;
sink.py is Bytewax's way out.
"""
