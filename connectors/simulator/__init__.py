"""The vendors' gateways and an agent's desktop, simulated: real servers on loopback, with faults.

Rules
- Part of the product (`tokenweir simulate`): for the demo, for the tests, and for users to try a client of
  their own against. They speak the vendors' contracts, not ours, and know nothing of our clients.
- Plain arguments and no global state: any number of them live on one event loop.
- What goes wrong is data (faults.py), and the truth about a stream is known: `Corpus.text(name)`.
"""

from __future__ import annotations

from connectors.simulator.corpus import Corpus, TokenStream
from connectors.simulator.desktop import AgentDesktop, Behaviour
from connectors.simulator.faults import Faults
from connectors.vendors.cognigy.simulator import SimulatedCognigy
from connectors.vendors.cxone.simulator import CXoneGateway

__all__ = ["AgentDesktop", "Behaviour", "CXoneGateway", "Corpus", "Faults", "SimulatedCognigy", "TokenStream"]
