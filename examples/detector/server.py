"""A remote detector, whole: it finds the names of projects that customers are not to read.

Copy it, and change `find`: a model's answer, a dictionary, another service. It needs Python alone.

    DETECTOR_TOKEN=… python server.py [PORT]

A question is {"text", "language", …} and its answer {"findings": [{"start", "end", "rule"}]}, with offsets in
characters of that text. Each question is a piece of a turn, mostly a sentence; docs/moderation.md has the rest.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAMES = re.compile(r"\b(?:blue heron|grey owl)\b", re.IGNORECASE)
MAX_BYTES = 1 << 20


def find(text: str, language: str | None) -> list[dict[str, Any]]:
    """What is in the text. `rule` is a name that the metrics keep: never a piece of the text."""
    return [{"start": found.start(), "end": found.end(), "rule": "project"} for found in NAMES.finditer(text)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    timeout = 60
    disable_nagle_algorithm = True  # else the second of two writes waits 40 ms for the first one's ACK

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            self.close_connection = True  # what it sends is not read
            return self._answer(413, {"error": "a question has a length, and is not as long as this"})
        body = self.rfile.read(int(length))
        token = f"Bearer {os.environ.get('DETECTOR_TOKEN', '')}"
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), token.encode()):
            return self._answer(401, {"error": "the token is another"})
        try:
            question = json.loads(body)
            findings = find(question["text"], question.get("language"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._answer(400, {"error": 'a question is {"text": "…"}'})
        return self._answer(200, {"findings": findings})

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name for it
        """Questions are customers' text: nothing is logged."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8091), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/\n")
    sys.stdout.flush()
    server.serve_forever()
