"""The command line: a module a command. It parses, calls and prints; nothing else.

Rules
- A command's module names it `command`, and is imported when it is called: `--help` and a small command wait for no
  large one.
- Shared are the options that several commands have (options.py), and where a command prints and how it ends (output.py,
  screen.py, progress.py). What a command does lies below, in `analytics`, `flows` and `connectors`; here are only what
  the demo plays (scenes.py) and the manual's pages that are made from the code (manual.py).
- Only the tests import it.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

import click

from tokenweir.output import StderrHandler, print_strictly

COMMANDS = {
    "backup": "Copy a data directory, while jobs run on it or not.",
    "demo": "Run the main job against simulated servers, show it, check it, and replay it.",
    "diff": "What a change of settings does to recorded streams: sentences, findings, messages, delay.",
    "doctor": "Check a data directory and say what a start would do with it.",
    "moderate": "Show what the policy would do to a text or a recording: every finding in colour, with its rule.",
    "query": "Ask the metrics in SQL, read-only, while jobs run.",
    "recordings": "Recordings: from what you have, and back; what they hold; parts and wholes.",
    "replay": "Run recordings, or folders of them, through the flow again and show their messages.",
    "report": "Write what happened into one HTML file: traffic, latency, cost, moderation, interruptions.",
    "run": "Run a live job.",
    "simulate": "Serve a simulated vendor and an agent desktop on loopback until interrupted.",
    "tune": "Find the window settings that serve a goal best on recorded streams.",
}
"""By name, the first sentence of the command's own help."""


class LazyCommand(click.Command):
    """A command of which only the name and the first sentence are known until it is called."""

    def load(self) -> click.Command:
        """The command itself."""
        command: click.Command = import_module(f"tokenweir.{self.name}").command
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The command's own context: what click runs, explains and completes is the command that its context names."""
        return self.load().make_context(info_name, args, parent, **extra)


@click.group(
    commands=[LazyCommand(name, help=sentence) for name, sentence in COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="tokenweir")
@click.option("-v", "--verbose", count=True, help="Say more on standard error; twice for debugging.")
def main(verbose: int) -> None:
    """LLM token streams to whole, safe sentences on an agent's desktop."""
    print_strictly()
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request, with its URL
    logging.basicConfig(level=levels[min(verbose, 2)], handlers=[StderrHandler()])
