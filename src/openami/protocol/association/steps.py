"""What a client's operation asks of the world, one step at a time.

An operation is a generator: it yields a step, is sent the reply, and returns its value. So the same logic runs with
keys in this process, with a process that seals for us and lets no key out, and with no link at all.
:mod:`openami.protocol.association.drive` runs such generators.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.form import Form

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seal:
    """Protect an APDU; the reply is the message.

    Args:
        apdu: the plaintext APDU.
        form: how.
        control: security control octet.
        peer_title: the server's system title; None before it is known.
    """

    apdu: bytes = field(repr=False)
    form: Form
    control: int
    peer_title: bytes | None


@dataclass(frozen=True, slots=True)
class Open:
    """Verify a message; the reply is the plaintext APDU. Refused with :class:`PeerError`.

    Args:
        octets: the message.
        control: security control octet below which nothing passes.
        peer_title: the server's system title.
    """

    octets: bytes = field(repr=False)
    control: int
    peer_title: bytes | None


@dataclass(frozen=True, slots=True)
class Prove:
    """Answer the server's challenge; the reply is the answer.

    Args:
        mechanism: authentication mechanism.
        received: the server's challenge.
        sent: ours.
        peer_title: the server's system title.
    """

    mechanism: Mechanism
    received: bytes = field(repr=False)
    sent: bytes = field(repr=False)
    peer_title: bytes | None


@dataclass(frozen=True, slots=True)
class Verify:
    """Judge the server's answer to our challenge; the reply is True or False. Arguments as in :class:`Prove`."""

    mechanism: Mechanism
    answer: bytes = field(repr=False)
    received: bytes = field(repr=False)
    sent: bytes = field(repr=False)
    peer_title: bytes | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send a message and wait for one; the reply is what came. Time-outs and framing are the link's affair."""

    octets: bytes = field(repr=False)


Step: TypeAlias = Seal | Open | Prove | Verify | Exchange
# What is sent in depends on the step; a generator's type cannot say so, the drivers do.
Steps: TypeAlias = Generator[Step, Any, T]
