"""Named limits of a gateway: its memory and its patience."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Named limits.

    Args:
        max_connections: more are refused.
        max_gathered_octets: at this much unpublished, all collectors wait.
        max_partial_octets: unfinished frames of all connections together; the largest go first.
        gather_s: how long frames wait for company.
        handshake_s, hello_s: to finish TLS; to say HELLO.
        frame_s: from a frame's first octet to its last (requirement R6.2).
        silence_s: three heartbeats.
        marks_at_once: marks that are looked up at the same time.
        drain_s: how long a shutdown waits for what is gathered.
    """

    max_connections: int = 20_000
    max_gathered_octets: int = 8 * 1024 * 1024
    max_partial_octets: int = 64 * 1024 * 1024
    gather_s: float = 0.02
    handshake_s: float = 10.0
    hello_s: float = 10.0
    frame_s: float = 10.0
    silence_s: float = 90.0
    marks_at_once: int = 64
    drain_s: float = 10.0
