"""How a simulated desktop behaves, as it is told in one line."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from connectors.errors import SettingsError

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


class Behaviour(msgspec.Struct, frozen=True):
    """How a desktop behaves; by default, well. In text: "ack=5,slow=0.2,pong=false".

    ack         acknowledge after so many messages of a turn, and its final one (0 = never)
    ack_delay   seconds before an acknowledgement
    hello       answer `hello`
    pong        answer pings
    slow        seconds that each message takes
    stop        stop reading after so many messages of a connection
    drop        end the connection after so many of its messages
    drop_how    by a close frame (1011), FIN or RST
    drops       how many connections are ended so
    dead        refuse connections, until `revive`
    reject      answer handshakes with this status
    buffer      bytes of the kernel's receive buffer (0 = the system's), so that a slow desktop is felt sooner
    """

    ack: Count = 1
    ack_delay: Seconds = 0
    hello: bool = True
    pong: bool = True
    slow: Seconds = 0
    stop: Count | None = None
    drop: Annotated[int, Meta(ge=1)] | None = None
    drop_how: Literal["close", "fin", "rst"] = "close"
    drops: Count = 1
    dead: bool = False
    reject: Annotated[int, Meta(ge=400, le=599)] | None = None
    buffer: Count = 0

    @classmethod
    def parse(cls, text: str) -> Behaviour:
        """From its text form. Raises SettingsError that names what is wrong."""
        given: dict[str, str] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = item.partition("=")
            if name.replace("-", "_") not in cls.__struct_fields__:
                known = ", ".join(field.replace("_", "-") for field in cls.__struct_fields__)
                raise SettingsError(f"a desktop has no behaviour {name[:40]!r}: it has {known}")
            given[name.replace("-", "_")] = value or "true"
        try:
            return msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"behaviour of the desktop: {str(error).replace('`', '')}") from None
