"""What the simulated vendors say, as tokens and as bytes that are ready to be sent.

Rules
- The texts are ours, the same in every run: sentences drawn by a seed, with what real answers have (abbreviations,
  decimals, times, order numbers, lists), and now and then a blocked term, which services replace.
- A frame is rendered once for all sessions that have the text: sending is one write of bytes that are there.
"""

from __future__ import annotations

import functools
import json
import random
import re
from typing import Final, Literal

from benchmarks.load.wire import text_frame

Shape = Literal["cxone", "cognigy"]

TEXTS: Final = 8
"""So many are streamed: session by session, in turn."""

BLOCKED: Final = ("frobnicate", "grommetry", "snarfblat", "widdershin", "quuxify")
"""Terms of the block list that do come; further ones are made up by `blocklist`."""

_SENTENCES: Final = """\
Your parcel left our warehouse in Hamburg on Monday and should be with you tomorrow before noon.
I can see that the invoice was sent twice, and I have cancelled the second one for you.
Dr. Meyer is in the office until Friday.
The device weighs about 2.5 kg, so one person can carry it easily.
Please restart the router and wait until the green light stops blinking!
Is there anything else that I can do for you today?
We open at 9 a.m. and close at 6 p.m. on working days.
The refund goes to the account that was used for the payment, which takes three to five days.
No, you do not have to return the old one.
As far as I can tell from our records, the technician came by on Tuesday, but nobody was at home.
That is a known problem with the latest version, e.g. when the phone is in power saving mode.
Our colleagues in the workshop will call you back as soon as they have had a look at it.
Thank you for your patience.
The contract runs for 24 months and can be ended with a notice of four weeks.
You find the form on our pages, under "Service and support", in the third section.
I would suggest that we frobnicate the settings together, step by step.
If the display stays dark, hold the button for ten seconds, then let go and wait.
It costs less than a new one, and it is better for all of us.
Should it happen again, tell us the number on the back of the case.
I have noted down what you said, and I will pass it on to the team that looks after such cases.
The delivery was delayed by the weather (there was a lot of snow in the south).
We are sorry for the trouble!
Your new card is on its way; the old one works until it arrives.
Changing the address takes a minute, and you can do it yourself at any time.
They said that the spare part, a small spring, would be here by the end of the week.
Well... that should not have happened, and I will find out why it did.
""".splitlines()

_TOKEN: Final = re.compile(r" ?[^\W\d_]+| ?\d+| ?[^\w\s]+|\s", re.DOTALL)


def tokens(number: int, count: int) -> tuple[str, ...]:
    """The first `count` tokens of a text; there is one for every number."""
    draw = random.Random(number)
    said: list[str] = []
    while len(said) < count:
        said += _TOKEN.findall(("" if not said else " ") + draw.choice(_SENTENCES))
    return tuple(said[:count])


@functools.cache
def frames(shape: Shape, number: int, count: int) -> tuple[bytes, ...]:
    """The same as the vendor's frames, and the one that ends the answer: count + 1 of them."""
    if shape == "cxone":
        events = (event(place, token) for place, token in enumerate(tokens(number, count)))
        return (*map(_chunk, events), _chunk(event(count, "", finished=True)) + b"0\r\n\r\n")
    usage = {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": 20 + count}
    return (
        *(_message({"tokens": [token], "done": False}) for token in tokens(number, count)),
        _message({"tokens": [], "done": True, "usage": usage}),
    )


def blocklist(terms: int) -> list[str]:
    """So many terms, the ones that come among them."""
    draw = random.Random(5)
    made = ("".join(draw.choices("bdfgklmnprstvwz", k=3) + draw.choices("aeiou", k=1)) * 2 for _ in range(terms))
    return sorted({*BLOCKED, *list(made)[len(BLOCKED) :]})


def data(token: str, *, finished: bool = False) -> str:
    """What an event of CXone's says."""
    return json.dumps({"token": token, "finished": finished}, separators=(",", ":"))


def event(place: int, token: str, *, finished: bool = False) -> bytes:
    return f"id: ctx-{place}\ndata: {data(token, finished=finished)}\n\n".encode()


def _chunk(content: bytes) -> bytes:
    """Of an HTTP answer."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def _message(message: dict[str, object]) -> bytes:
    """A message of Cognigy.AI's, as a WebSocket frame."""
    return text_frame(json.dumps(message, separators=(",", ":")).encode())
