"""`tokenweir simulate`: serves a simulated vendor and an agent desktop, and says how to reach them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click

from connectors.simulator import AgentDesktop, Corpus
from connectors.simulator.vendor import SimulatedVendor
from connectors.vendors.base import Vendor
from connectors.vendors.registry import known, named
from tokenweir.options import PATH
from tokenweir.output import err, explained

LISTED_STREAMS = 20

SIMULATED = click.Choice([each.name for each in known().values() if each.live])


@click.command("simulate")
@click.argument("name", metavar="VENDOR", type=SIMULATED, default="cxone")
@click.option("--corpus", type=PATH, help="JSON lines with `tokens` and perhaps `t_ms`.")
@click.option("--port", default=8085, show_default=True, help="Of the gateway; 0 for any.")
@click.option("--desktop-port", default=8086, show_default=True, help="Of the agent desktop; 0 for any.")
@click.option("--faults", default="", help="What goes wrong with every stream, e.g. drop=rst@12,repeat=3.")
@click.option("--desktop", "behaviour", default="", help="How the desktop behaves, e.g. ack=5,slow=0.2.")
@click.option("--speed", default=1.0, show_default=True, help="Of the streams' own times; 0: as fast as possible.")
@explained
def command(
    name: str, corpus: Path | None, port: int, desktop_port: int, faults: str, behaviour: str, speed: float
) -> None:
    """Serve a simulated vendor and an agent desktop on loopback until interrupted.

    The faults' and behaviours' words are in docs/simulator.md.
    """
    served = Corpus.read(corpus) if corpus else Corpus.builtin()
    vendor = named(name)
    gateway = vendor.simulator(served, faults=faults, port=port, speed=speed)
    desktop = AgentDesktop(behaviour=behaviour, port=desktop_port)
    try:
        asyncio.run(_simulate(vendor, gateway, desktop))
    except KeyboardInterrupt:
        err.print("stopped")


async def _simulate(vendor: Vendor, gateway: SimulatedVendor, desktop: AgentDesktop) -> None:
    async with AsyncExitStack() as servers:
        await servers.enter_async_context(gateway)
        await servers.enter_async_context(desktop)
        names = list(gateway.corpus.names)
        more = f" and {len(names) - LISTED_STREAMS} more" if len(names) > LISTED_STREAMS else ""
        err.print(f"{len(names)} streams: {', '.join(names[:LISTED_STREAMS])}{more}", highlight=False, markup=False)
        err.print(f"Ask for one by {vendor.asking}. To use them, paste:")
        for name, value in {**vendor.simulated(gateway.url), "AGENT_WS_URL": desktop.url}.items():
            click.echo(f"export {name}='{value}'")
        sys.stdout.flush()
        await asyncio.Event().wait()
