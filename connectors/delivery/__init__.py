"""Delivery: what waits, what was sent, what has arrived; at agent desktops, and wherever else a sink delivers to.

outbox.py (core) is one receiver's messages, progress.py (core) how far each turn is; journal.py, segment.py,
history.py and recall.py keep them on disk, where reader.py follows what is confirmed; ledger.py is outboxes and
journal as one thing; base.py is Bytewax's way to it, for every sink that stores what it takes. connection.py brings a
desktop its messages, presence.py says whether it is there; sink.py is the desktops' sink.
"""
