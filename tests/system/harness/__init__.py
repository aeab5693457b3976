"""The fault harness: both vendors' services as real processes, killed with SIGKILL again and again, and the truth.

Rules
- The services are what a user runs: `tokenweir run VENDOR --settings …`, one data directory, sessions begun over
  HTTP. Vendors and desktops are simulated in this process, and so outlive every kill.
- All that is random comes from the seed; only the machine's own timing does not.
- What a run has beside kills are its features (plan.py): each can be left out.
- The end is a comparison with the truth, session by session, desktop by desktop, row by row and message by message in
  time. A difference is reported, never smoothed over. The truth (truth.py) is what the simulated vendors served,
  moderated in one piece; what a desktop may see again or lose is what docs/delivery.md promises its kind (desktops.py).

    python -m tests.system.harness --sessions 200 --kills 100 [--seed N] [--runs N] [--features LIST] [--streams FILE]
                                   [--keep DIR]
"""

from __future__ import annotations

from tests.system.harness.plan import FEATURES, Plan, Session, Share
from tests.system.harness.report import Report, say
from tests.system.harness.run import run
from tests.system.harness.service import Service, until
from tests.system.harness.settings import write_settings
from tests.system.harness.world import World

__all__ = [
    "FEATURES",
    "Plan",
    "Report",
    "Service",
    "Session",
    "Share",
    "World",
    "run",
    "say",
    "until",
    "write_settings",
]
