"""Our own texts, and how they are cut into tokens.

Rules
- Every text is ours. Persons, numbers and addresses are invented or reserved for tests and documents
  (cards by their published test numbers, telephones 555-01xx, domains of RFC 2606, addresses of RFC 5737).
- Each text has something in it that makes streams hard; its comment says what.
- `cut` is deterministic: the same text gives the same tokens in every process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal
from zlib import crc32

import msgspec

FIRST_TOKEN_MS = 350.0
Split = Literal["none", "surrogates", "bytes"]


class Text(msgspec.Struct, frozen=True):
    """A text and how its stream behaves.

    split   how characters beyond the tokenizer's vocabulary come: whole, as surrogate halves, as bytes
    pauses  (what the text so far ends with, seconds of silence after it)
    """

    name: str
    prompt: str
    text: str
    split: Split = "none"
    pauses: tuple[tuple[str, float], ...] = ()

    def times(self, tokens: Sequence[str]) -> tuple[float, ...]:
        """Milliseconds at which each token comes: 12 to 43 apart, as models do, and the pauses."""
        times: list[float] = []
        now, said = FIRST_TOKEN_MS, ""
        for place, token in enumerate(tokens):
            times.append(now)
            said += token
            now += 12 + crc32(f"{self.name} {place}".encode()) % 32
            now += sum(1000 * seconds for end, seconds in self.pauses if said.endswith(end))
        return tuple(times)


_PIECE = re.compile(r" ?[^\W\d_]+|\d{1,3}|\n+| ?[^\w\s]+|.", re.DOTALL)
_LONGEST = 8


def cut(text: Text) -> Iterator[str]:
    """The text as tokens: words with the space before them, long words in parts, digits by three."""
    for piece in _PIECE.findall(text.text):
        wide = any(char >= "\u0900" for char in piece)
        size = 2 if wide else len(piece) if len(piece) <= _LONGEST else 5
        for start in range(0, len(piece), size):
            yield from _split(piece[start : start + size], text.split)


def _split(token: str, how: Split) -> Iterator[str]:
    if how == "none" or token.isascii():
        yield token
    elif how == "bytes":
        for char in token:
            if char < "\u2000":
                yield char
            else:
                yield from (f"<0x{byte:02X}>" for byte in char.encode())
    else:
        held = ""
        for char in token:
            if char > "\uffff":
                offset = ord(char) - 0x10000
                yield held + chr(0xD800 + (offset >> 10))
                held = chr(0xDC00 + (offset & 0x3FF))
            else:
                held += char
        if held:
            yield held


TEXTS = (
    # Plain prose.
    Text(
        "refund",
        "How do I get my money back?",
        "I'm sorry the kettle arrived broken. You can have a refund or a new one, whichever you prefer. "
        "Print the label from your order page, tape it to the box and leave it at any parcel shop. "
        "Once the parcel is scanned, the money is on its way; most banks show it within three working days.",
    ),
    # Every kind of PII, over token seams.
    Text(
        "account",
        "Which details do you have on file for me?",
        "Here is what we hold. Your e-mail address is maria.lindqvist@example.com and your telephone number "
        "is +1 202-555-0143. You last paid with card 4111 1111 1111 1111, and before that with "
        "5555-5555-5555-4444. Refunds go to IBAN GB29 NWBK 6016 1331 9268 19. We logged your visit from "
        "192.0.2.44 on Tuesday. Please tell me if any of this has changed.",
    ),
    # A blocked word over token seams, and words that only look like it.
    Text(
        "blocked",
        "My scanner makes a grinding noise, what now?",
        "Switch the scanner off first. Whatever you do, do not frobnicate the rollers while it is running. "
        "Our engineers say that Frobnicate is what the last owner did, and the frobnicator had to be "
        "replaced. Open the lid, lift the paper out and close it again.",
    ),
    # Markdown: heading, list, table, code that holds full stops.
    Text(
        "code",
        "Show me how to read my orders over the API.",
        "## Reading your orders\n\nCall `orders.list()` with your key. For example:\n\n"
        '```python\nimport requests\n\n# One page at a time. Stop when it is empty.\nurl = "https://api.example.com/v2/orders"\n'
        'page = requests.get(url, params={"limit": 50}).json()\nfor order in page["items"]:\n'
        '    print(order["id"], order["total"])\n```\n\n'
        "Three things to know:\n\n1. The limit is 100 orders. Ask for more and you get **an error**.\n"
        "2. Times are in UTC, e.g. `2026-11-20T12:00:00Z`.\n3. Keys expire after 30 days.\n\n"
        "| field | meaning |\n| --- | --- |\n| id | the order's number |\n| total | in cents, incl. tax |\n\n"
        "That is all. _Happy shopping!_\n",
    ),
    # Abbreviations, decimals, versions, initials, quotes.
    Text(
        "abbreviations",
        "Who looks after my router?",
        "Dr. J. R. Okafor of Northwind Networks Inc. looks after routers in the U.S. and the U.K. at present."
        ' Version 2.4.1 came out on Jan. 5 and is 3.5 MB in size, i.e. about $0.02 of data. "It fixes the '
        'drops," she said. "Install it today!" See https://support.example.com/router/v2.4.1?lang=en for the '
        "steps … or call us between 9 a.m. and 5 p.m. We are happy to help, etc.",
    ),
    # Japanese, with emoji as surrogate halves in two tokens.
    Text(
        "japanese",
        "配送状況を教えてください。",
        "お問い合わせありがとうございます。ご注文の商品は昨日出荷されました📦。お届けは明日の午前中の予定です！"
        "「置き配」をご希望ですか？変更はマイページから行えます😊。ほかにご不明な点があれば、お気軽にどうぞ🙇‍♀️。",
        split="surrogates",
    ),
    # Characters as byte tokens, as a tokenizer with byte fallback sends them.
    Text(
        "bytes",
        "Do you ship to Zürich, and what does it cost?",
        "Yes! Shipping to Zürich costs 12 € and takes 2–3 days 🚚. Orders over 100 € ship free ✅. "
        "In Japan (日本) it is 1,800 ¥. Naïve question? Not at all — we're glad you asked 🎉.",
        split="bytes",
    ),
    # A pause in the middle of a sentence, longer than a window waits.
    Text(
        "slow",
        "Can you check my invoice with the warehouse?",
        "Let me look that up for you. According to the warehouse, the second box was still waiting for "
        "a label when the van left. It goes out tonight. You need not do anything.",
        pauses=((" second box", 3.0), ("goes out", 1.5)),
    ),
    # No full stop for a long way.
    Text(
        "breathless",
        "Tell me everything about the warranty in one go.",
        "the warranty covers the motor and the belt and the switch and whatever else came in the box as long "
        "as you kept the receipt and nobody opened the case and the machine stood in a dry place and was "
        "cleaned now and then with a soft cloth and no soap and it runs for two years from the day that it "
        "was delivered or three if you registered it and it goes with the machine if you sell it and it does "
        "not cover the bags or the filters or anything that wears out by being used as it should be used",
    ),
    # Emoji that are sequences: a family, a flag, a skin tone, a keycap.
    Text(
        "emoji",
        "Do you have a family plan?",
        "We do! 👨‍👩‍👧‍👦 Up to 5️⃣ lines share one plan 👍🏽. It works in Norway 🇳🇴 and Nepal 🇳🇵 too. Shall I add it? 🙂",
        split="surrogates",
    ),
    # Other scripts and their own full stops.
    Text(
        "hindi",
        "मेरा ऑर्डर कब आएगा?",
        "आपका ऑर्डर कल शाम तक पहुँच जाएगा। डिलीवरी से पहले आपको एक संदेश मिलेगा। क्या मैं और कोई मदद कर सकता हूँ?",
    ),
    Text(
        "chinese",
        "我的包裹在哪里？",
        "您好！您的包裹已于今天上午到达本地仓库。快递员会在下午三点前派送，请保持电话畅通。如需改约，请回复“改约”。",
    ),
    Text(
        "german",
        "Wie kündige ich meinen Vertrag?",
        "Sie können zum 31. Dezember kündigen, z. B. per E-Mail oder im Kundenkonto. Die Frist beträgt lt. "
        "Nr. 4 der Bedingungen vier Wochen. Eine Bestätigung erhalten Sie spätestens am 3. Werktag. Schade, "
        "dass Sie gehen!",
    ),
    # Over before it has begun.
    Text("yes", "Are you there?", "Yes."),
)
