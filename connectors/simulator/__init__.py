"""What simulated vendors share, and an agent's desktop: real servers on loopback, with faults.

Rules
- Part of the product (`tokenweir simulate`): for the demo, for the tests, and for users to try a client of
  their own against. A vendor's own simulator lies in its folder; it speaks the vendor's contract, not ours, and knows
  nothing of our clients.
- Plain arguments and no global state: any number of them live on one event loop.
- What goes wrong is data (faults.py), and the truth about a stream is known: `Corpus.text(name)`.
"""

from __future__ import annotations

from connectors.simulator.behaviour import Behaviour
from connectors.simulator.corpus import Corpus, TokenStream
from connectors.simulator.desktop import AgentDesktop
from connectors.simulator.faults import Faults

__all__ = ["AgentDesktop", "Behaviour", "Corpus", "Faults", "TokenStream"]
