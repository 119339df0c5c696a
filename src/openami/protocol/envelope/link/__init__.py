"""The HDLC link that a client and a meter keep over a serial line or a serial-to-TCP converter. Sans-IO, both ends.

Call ``receive`` with what came, ``on_time`` when ``deadline`` has passed, and send whatever each call returns;
``next_event`` says what happened. ``now`` is any monotonic clock in seconds.

The link is unbalanced: the client has the turn and gives it away with the poll bit, the server speaks and gives it back
with the final bit. Only the client has a response time-out; it sends again what the server has not confirmed, or polls,
and after some tries without any progress the link is down.

=============== ======================================= ===========================================================
state           client takes                            server takes
=============== ======================================= ===========================================================
DISCONNECTED    nothing                                 SNRM: answers UA, CONNECTED. Anything polled: answers DM
CONNECTING      UA: CONNECTED. DM: DISCONNECTED         (a server is never here)
CONNECTED       I, RR, RNR, REJ: confirm and deliver.   I, RR, RNR, REJ: confirm, deliver, speak when polled.
                DM, FRMR: DISCONNECTED                  SNRM: begins anew. DISC: answers UA, DISCONNECTED
DISCONNECTING   UA, DM: DISCONNECTED                    (a server is never here)
=============== ======================================= ===========================================================

Frames that fail a check, are for somebody else, confirm what was never sent, or stand where the table has nothing are
dropped: on a bad line the sender's time-out mends it, and a liar gains nothing. A duplicate is never an answer: a
client that took the second copy of an answer for that to its next question would have two turns under way.
Source: IEC 62056-46, 6.4.4 (procedures of the data link layer in unbalanced normal response mode).
"""

from openami.protocol.envelope.link.address import HdlcAddress
from openami.protocol.envelope.link.client import HdlcClient
from openami.protocol.envelope.link.events import (
    ApduReceived,
    Connected,
    Disconnected,
    DisconnectReason,
    LinkEvent,
    UnnumberedReceived,
)
from openami.protocol.envelope.link.parameters import LinkParameters, LinkTimes
from openami.protocol.envelope.link.server import HdlcServer
from openami.protocol.envelope.link.states import LinkState

__all__ = [
    "ApduReceived",
    "Connected",
    "DisconnectReason",
    "Disconnected",
    "HdlcAddress",
    "HdlcClient",
    "HdlcServer",
    "LinkEvent",
    "LinkParameters",
    "LinkState",
    "LinkTimes",
    "UnnumberedReceived",
]
