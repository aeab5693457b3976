"""HTTP for callers and browsers: what they ask for, and the moderated text as Server-Sent Events.

hub.py (core) keeps what was shown and who reads along; sink.py is Bytewax's way to it; stream.py sends one caller its
share; ids.py and tickets.py (cores) name places in a stream and sign its URLs; access.py says who may call; server.py
has the routes. completions.py speaks to OpenAI's clients: chat.py (core) reads what they ask, chunks.py and problems.py
(cores) say what they are answered.
"""
