"""Runs a client's operation: with keys in this process, or with somebody else's sealing, at once or awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Protocol, TypeVar

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.form import Form, check_control, disclose, enclose
from openami.protocol.association.protection import Protection
from openami.protocol.association.steps import Exchange, Open, Prove, Seal, Step, Steps, Verify
from openami.protocol.errors import PeerError, UsageError

T = TypeVar("T")


class AsyncSealing(Protocol):
    """Whoever holds the keys, awaited. Each method answers the step of its name."""

    async def seal(self, step: Seal) -> bytes:
        """Return the message that protects the APDU."""
        ...

    async def open(self, step: Open) -> bytes:
        """Return the plaintext APDU.

        Raises:
            PeerError: the message does not pass.
        """
        ...

    async def prove(self, step: Prove) -> bytes:
        """Return the answer to the server's challenge."""
        ...

    async def verify(self, step: Verify) -> bool:
        """Tell whether the server's answer proves it."""
        ...


class BodySealing(Protocol):
    """A process that seals bodies for one meter under its global keys, and keeps the counters."""

    async def seal(self, plaintext: bytes, *, control: int) -> bytes:
        """Return ``SC | IC | ciphertext | tag`` under a counter that was never used."""
        ...

    async def open(self, sealed: bytes) -> bytes:
        """Return what is inside ``SC | IC | ciphertext | tag`` from the meter; refuse what does not verify or rise."""
        ...

    async def prove(self, challenge: bytes) -> bytes:
        """Return ``SC | IC | tag`` over the meter's challenge."""
        ...

    async def verify(self, challenge: bytes, answer: bytes) -> bool:
        """Tell whether the meter's ``SC | IC | tag`` answers our challenge."""
        ...


class EnvelopeSealing:
    """Makes an :class:`AsyncSealing` of a :class:`BodySealing`: the envelope here, the body there.

    Args:
        bodies: the process that seals.
        own_title: system title that it seals under, 8 octets.
    """

    def __init__(self, bodies: BodySealing, *, own_title: bytes) -> None:
        self._bodies = bodies
        self._own_title = own_title

    async def seal(self, step: Seal) -> bytes:
        """Return the message; see :class:`AsyncSealing`."""
        if step.form not in {Form.GLO, Form.GENERAL_GLO}:
            raise UsageError(f"form {step.form.value} is not sealed under the global keys")
        body = await self._bodies.seal(step.apdu, control=step.control)
        return enclose(step.form, step.apdu, body, own_title=self._own_title)

    async def open(self, step: Open) -> bytes:
        """Return the plaintext APDU; see :class:`AsyncSealing`."""
        enclosed = disclose(messages.decode(step.octets))
        if enclosed is None:
            raise PeerError("plaintext", "a message that is not under the global keys", 0)
        check_control(enclosed.control, step.control)
        if enclosed.form.is_dedicated:
            raise PeerError("unknown_key", "a message under a dedicated key, and none was agreed on", 0)
        if enclosed.title is not None and enclosed.title != step.peer_title:
            raise PeerError("wrong_title", "the message names another sender than this association's", 0)
        plaintext = await self._bodies.open(enclosed.body)
        if not plaintext or (enclosed.clear_tag is not None and plaintext[0] != enclosed.clear_tag):
            raise PeerError("bad_content", "a sealed message holds another service than its tag says", 0)
        return plaintext

    async def prove(self, step: Prove) -> bytes:
        """Return the answer; see :class:`AsyncSealing`."""
        if step.mechanism is not Mechanism.HIGH_GMAC:
            raise UsageError(f"mechanism {step.mechanism.name} is not answered by sealing bodies")
        return await self._bodies.prove(step.received)

    async def verify(self, step: Verify) -> bool:
        """Tell whether the server is proved; see :class:`AsyncSealing`."""
        return step.mechanism is Mechanism.HIGH_GMAC and await self._bodies.verify(step.sent, step.answer)


def drive(steps: Steps[T], *, protection: Protection | None, exchange: Callable[[bytes], bytes]) -> T:
    """Run an operation and return its value.

    Args:
        steps: the operation.
        protection: keys and counters; None where nothing is protected.
        exchange: sends a message and returns the one that answers it; what it raises passes through.

    Raises:
        PeerError: the server's answer is not what it claims to be.
        UsageError: something to protect, and no protection.
    """
    with closing(steps):
        try:
            step = next(steps)
            while True:
                step = steps.send(_answer(step, protection, exchange))
        except StopIteration as end:
            value: T = end.value
            return value


async def drive_async(
    steps: Steps[T], *, sealing: AsyncSealing | Protection | None, exchange: Callable[[bytes], Awaitable[bytes]]
) -> T:
    """Run an operation and return its value, awaiting the link and whoever holds the keys; else as :func:`drive`."""
    with closing(steps):
        try:
            step = next(steps)
            while True:
                step = steps.send(await _answer_async(step, sealing, exchange))
        except StopIteration as end:
            value: T = end.value
            return value


def _answer(step: Step, protection: Protection | None, exchange: Callable[[bytes], bytes]) -> bytes | bool:
    if isinstance(step, Exchange):
        return exchange(step.octets)
    return _perform(step, protection)


def _perform(step: Seal | Open | Prove | Verify, protection: Protection | None) -> bytes | bool:
    if protection is None:
        raise UsageError("this association needs keys")
    if isinstance(step, Seal):
        return protection.seal(step.apdu, step.form, peer_title=step.peer_title, control=step.control)
    if isinstance(step, Open):
        return protection.open(step.octets, peer_title=step.peer_title).apdu
    if isinstance(step, Prove):
        return protection.prove(step.mechanism, received=step.received, sent=step.sent, peer_title=step.peer_title)
    return protection.verify(
        step.mechanism, step.answer, received=step.received, sent=step.sent, peer_title=step.peer_title
    )


async def _answer_async(
    step: Step, sealing: AsyncSealing | Protection | None, exchange: Callable[[bytes], Awaitable[bytes]]
) -> bytes | bool:
    if isinstance(step, Exchange):
        return await exchange(step.octets)
    if sealing is None or isinstance(sealing, Protection):
        return _perform(step, sealing)
    if isinstance(step, Seal):
        return await sealing.seal(step)
    if isinstance(step, Open):
        return await sealing.open(step)
    if isinstance(step, Prove):
        return await sealing.prove(step)
    return await sealing.verify(step)
