"""The gateway: ends the collectors' TLS, checks envelopes, and moves sealed frames into the durable stream.

It holds no meter key and cannot read a frame. What it refuses is counted and kept with the reason.
"""

from openami.network.gateway.command import ListedSigningKeys
from openami.network.gateway.desk import Commanding
from openami.network.gateway.health import HealthTelling
from openami.network.gateway.limits import GatewayLimits
from openami.network.gateway.server import Gateway
from openami.network.gateway.titles import DirectedTitles, EveryTitle, ListedTitles

__all__ = [
    "Commanding",
    "DirectedTitles",
    "EveryTitle",
    "Gateway",
    "GatewayLimits",
    "HealthTelling",
    "ListedSigningKeys",
    "ListedTitles",
]
