"""The states of an HDLC link."""

from __future__ import annotations

from enum import Enum


class LinkState(Enum):
    """Where a link stands.

    DISCONNECTED: nothing agreed. A client may connect, a server waits for that.
    CONNECTING: a client has sent SNRM.
    CONNECTED: APDUs pass.
    DISCONNECTING: a client has sent DISC.
    """

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"
