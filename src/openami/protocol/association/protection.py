"""Seals and opens the messages of one association: the local implementation of what a remote sealing process does too.

An opened message has, in this order: claimed enough (suite, control octet), come from the right title, verified, and
risen in its counter; only then does the counter move. Every refusal is a :class:`PeerError` with a stable code:
``plaintext``, ``compressed``, ``unknown_suite``, ``broadcast``, ``downgrade``, ``wrong_title``, ``unknown_key``,
``unknown_form``, ``bad_tag``, ``bad_signature``, ``replay``, ``jump``, ``bad_content`` and those of the suites.

Knows no disk and no dice: counters and fresh keys come through ports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.apdu.protection import GeneralCiphering, GeneralSigning, ProtectionHeader
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.association.counters import CounterEndedError, ReceiveCounter, RisingCounter, SendCounter
from openami.protocol.association.form import SUITE_BITS, Enclosed, Form, check_control, disclose, enclose
from openami.protocol.association.general import (
    GeneralStyle,
    KeyChoice,
    open_general,
    seal_general,
    sign_general,
    verify_general,
)
from openami.protocol.association.keys import Keys
from openami.protocol.errors import PeerError, UsageError
from openami.security.suites.challenge import ecdsa_answer, sha256_answer, verify_ecdsa_answer, verify_sha256_answer
from openami.security.suites.curve import SUITES_WITH_CURVES
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import (
    AUTHENTICATED,
    ENCRYPTED,
    MAX_COUNTER,
    TITLE_OCTETS,
    gmac_answer,
    open_sealed,
    seal,
    verify_gmac_answer,
)

_COUNTER = slice(1, 5)
_INITIATES = frozenset({ApduTag.INITIATE_REQUEST, ApduTag.INITIATE_RESPONSE, ApduTag.CONFIRMED_SERVICE_ERROR})


@dataclass(frozen=True, slots=True)
class Opened:
    """What a message held once it was proved.

    Args:
        apdu: the plaintext APDU.
        form: how it was protected; PLAIN where nothing was asked and nothing done.
        control: its security control octet; 0 where plain.
    """

    apdu: bytes = field(repr=False)
    form: Form
    control: int


class Protection:
    """Key material, counters and policy of one association.

    Args:
        own_title: our system title, 8 octets.
        keys: key material; may be replaced between messages when keys change.
        control: security control octet that we send under and below which nothing passes (0x10, 0x20 or 0x30 and the
            suite); 0 where messages may be plain.
        send: where our counters come from.
        received: what was accepted from the peer under the global key.
        style: how the general forms are read.
        ephemeral: gives a fresh private key for each one-pass agreement; None where there is none.
        transaction: gives a transaction id, never twice, for the general forms.
        signed: whether only signed messages pass. A signature can be taken off what it surrounds, so whoever wants one
            must say so. Initiate messages are exempt: they have no signed form.
    """

    __slots__ = (
        "_dedicated_received",
        "_ephemeral",
        "_own_title",
        "_received",
        "_send",
        "_signed",
        "_style",
        "_transaction",
        "control",
        "keys",
    )

    def __init__(
        self,
        *,
        own_title: bytes,
        keys: Keys,
        control: int,
        send: SendCounter,
        received: ReceiveCounter,
        style: GeneralStyle | None = None,
        ephemeral: Callable[[], bytes] | None = None,
        transaction: Callable[[], bytes] | None = None,
        signed: bool = False,
    ) -> None:
        if len(own_title) != TITLE_OCTETS:
            raise UsageError(f"a system title has {TITLE_OCTETS} octets, not {len(own_title)}")
        self.keys = keys
        self.control = control
        self._own_title = own_title
        self._send = send
        self._received = received
        self._dedicated_received = RisingCounter()
        self._style = style or GeneralStyle()
        self._ephemeral = ephemeral
        self._transaction = transaction
        self._signed = signed

    @property
    def own_title(self) -> bytes:
        """Our system title."""
        return self._own_title

    def use_dedicated(self, keys: Keys) -> None:
        """Begin with the dedicated key in ``keys``: nothing was accepted under it yet."""
        self.keys = keys
        self._dedicated_received = RisingCounter()

    def seal(self, apdu: bytes, form: Form, *, peer_title: bytes | None, control: int | None = None) -> bytes:
        """Return the message that protects an APDU.

        Args:
            apdu: the plaintext APDU.
            form: how.
            peer_title: the peer's system title; needed by GENERAL and SIGNED.
            control: another control octet than the policy's, never a lower one.

        Raises:
            UsageError: a form that needs what is not there.
            MisuseError: a key, title or counter that cannot be used.
        """
        if form is Form.PLAIN:
            return apdu
        used = self.control if control is None else control | self.control
        if form in {Form.GENERAL, Form.SIGNED}:
            return self._seal_general(apdu, form, peer_title or b"", used)
        key = self.keys.encryption
        if form.is_dedicated:
            if self.keys.dedicated is None:
                raise UsageError("no dedicated key was agreed on")
            key = self.keys.dedicated
        body = seal(self._own_title, self._counter(), apdu, key=key, auth_key=self.keys.authentication, control=used)
        return enclose(form, apdu, body, own_title=self._own_title)

    def open(self, octets: bytes, *, peer_title: bytes | None) -> Opened:
        """Verify a message and return what it holds.

        Args:
            octets: the message.
            peer_title: the peer's system title, as the association knows it; None where it does not yet.

        Raises:
            PeerError: what the module says.
        """
        message = messages.decode(octets)
        try:
            if isinstance(message, GeneralSigning | GeneralCiphering) and self._transaction is None:
                raise PeerError("unknown_form", "a message in a general form, which this association does not speak", 0)
            if isinstance(message, GeneralSigning):
                return self._open_signed(message, peer_title)
            enclosed = disclose(message)
            is_service = enclosed is not None and enclosed.clear_tag not in _INITIATES
            if self._signed and (is_service or isinstance(message, GeneralCiphering)):
                raise PeerError("downgrade", "a message without a signature where signatures are agreed", 0)
            if isinstance(message, GeneralCiphering):
                return self._open_general(message, peer_title)
            if enclosed is not None:
                return self._open_enclosed(enclosed, peer_title)
        except SuiteError as error:
            raise PeerError(error.code, error.message, 0) from None
        if self.control:
            raise PeerError("plaintext", "a message without protection where protection is agreed", 0)
        return Opened(octets, Form.PLAIN, 0)

    def prove(self, mechanism: Mechanism, *, received: bytes, sent: bytes, peer_title: bytes | None) -> bytes:
        """Return our answer f(received) to the peer's challenge.

        Raises:
            UsageError: a mechanism or key that is not there.
        """
        keys, suite = self.keys, self.control & SUITE_BITS
        if mechanism is Mechanism.HIGH_GMAC:
            counter = self._counter()
            return gmac_answer(
                self._own_title, counter, received, key=keys.encryption, auth_key=keys.authentication, suite=suite
            )
        ends = {"own_title": self._own_title, "peer_title": peer_title or b"", "received": received, "sent": sent}
        if mechanism is Mechanism.HIGH_SHA256:
            return sha256_answer(keys.authentication, **ends)
        if mechanism is Mechanism.HIGH_ECDSA and keys.signing is not None and suite in SUITES_WITH_CURVES:
            return ecdsa_answer(keys.signing, suite=suite, **ends)
        raise UsageError(f"mechanism {mechanism.name} cannot be answered with these keys")

    def verify(
        self, mechanism: Mechanism, answer: bytes, *, received: bytes, sent: bytes, peer_title: bytes | None
    ) -> bool:
        """Tell whether the peer's answer f(sent) to our challenge proves it."""
        keys, suite = self.keys, self.control & SUITE_BITS
        if peer_title is None or len(peer_title) != TITLE_OCTETS:
            return False
        if mechanism is Mechanism.HIGH_GMAC:
            return verify_gmac_answer(
                peer_title, answer, sent, key=keys.encryption, auth_key=keys.authentication, suite=suite
            )
        ends = {"own_title": self._own_title, "peer_title": peer_title, "received": received, "sent": sent}
        if mechanism is Mechanism.HIGH_SHA256:
            return verify_sha256_answer(keys.authentication, answer, **ends)
        if mechanism is Mechanism.HIGH_ECDSA and keys.peer_signing is not None and suite in SUITES_WITH_CURVES:
            try:
                return verify_ecdsa_answer(keys.peer_signing, answer, suite=suite, **ends)
            except SuiteError:
                return False
        return False

    def _seal_general(self, apdu: bytes, form: Form, peer_title: bytes, control: int) -> bytes:
        if self._transaction is None:
            raise UsageError("the general forms need transaction ids")
        header = ProtectionHeader(self._transaction(), self._own_title, peer_title)
        if form is Form.SIGNED:
            inner = self.seal(apdu, Form.GENERAL_GLO, peer_title=peer_title, control=control) if control else apdu
            return messages.encode(
                sign_general(inner, header=header, keys=self.keys, suite=control & SUITE_BITS, style=self._style)
            )
        fresh = self._ephemeral() if self._ephemeral and self._style.key is KeyChoice.SINGLE_EPHEMERAL else None
        sealed = seal_general(
            apdu,
            self._counter(),
            header=header,
            keys=self.keys,
            control=control,
            style=self._style,
            ephemeral=fresh,
        )
        return messages.encode(sealed)

    def _open_enclosed(self, enclosed: Enclosed, peer_title: bytes | None) -> Opened:
        check_control(enclosed.control, self.control or enclosed.control)
        title = _sender(enclosed.title, peer_title)
        key = self.keys.dedicated if enclosed.form.is_dedicated else self.keys.encryption
        if key is None:
            raise PeerError("unknown_key", "a message under a dedicated key, and none was agreed on", 0)
        # Policy 0x20 asks for no tag; whoever agrees to it has chosen that anyone may alter.
        allowed = self.control & (AUTHENTICATED | ENCRYPTED) == ENCRYPTED
        plaintext = open_sealed(
            title, enclosed.body, key=key, auth_key=self.keys.authentication, allow_unauthenticated=allowed
        )
        self._count(enclosed.body, self._dedicated_received if enclosed.form.is_dedicated else self._received)
        if not plaintext or (enclosed.clear_tag is not None and plaintext[0] != enclosed.clear_tag):
            raise PeerError("bad_content", "a sealed message holds another service than its tag says", 0)
        return Opened(plaintext, enclosed.form, enclosed.control)

    def _open_general(self, message: GeneralCiphering, peer_title: bytes | None) -> Opened:
        control = message.sealed_body[0]
        check_control(control, self.control or control)
        self._check_ends(message.header, peer_title)
        if not control & AUTHENTICATED and self.control & (AUTHENTICATED | ENCRYPTED) != ENCRYPTED:
            raise PeerError("unauthenticated", "a message without a tag", 0)
        plaintext = open_general(message, keys=self.keys, style=self._style)
        self._count(message.sealed_body, self._received)
        if not plaintext:
            raise PeerError("bad_content", "a sealed message holds nothing", 0)
        return Opened(plaintext, Form.GENERAL, control)

    def _open_signed(self, message: GeneralSigning, peer_title: bytes | None) -> Opened:
        self._check_ends(message.header, peer_title)
        if self.keys.signing is None:
            raise PeerError("unknown_form", "a signed message, and no key to sign the answer with", 0)
        content = verify_general(message, keys=self.keys, suite=self.control & SUITE_BITS, style=self._style)
        # A signature carries no counter, so only what is sealed inside cannot be sent twice; and one layer is enough.
        enclosed = disclose(messages.decode(content))
        if enclosed is None:
            raise PeerError("plaintext", "a signed message whose content is not sealed", 0)
        opened = self._open_enclosed(enclosed, peer_title)
        return Opened(opened.apdu, Form.SIGNED, opened.control)

    def _check_ends(self, header: ProtectionHeader, peer_title: bytes | None) -> None:
        _sender(header.originator_title or None, peer_title)
        if not header.originator_title or header.recipient_title not in {b"", self._own_title}:
            raise PeerError("wrong_title", "a message between other ends than ours", 0)

    def _counter(self) -> int:
        """Return the invocation counter of the next message.

        Raises:
            CounterEndedError: the key has no more.
        """
        counter = self._send.take() - self.keys.counted_from
        if counter > MAX_COUNTER:
            raise CounterEndedError("the invocation counter has ended: change the key")
        return counter

    def _count(self, body: bytes, received: ReceiveCounter) -> None:
        counter = int.from_bytes(body[_COUNTER])
        received.check(counter)
        received.accept(counter)


def _sender(named: bytes | None, known: bytes | None) -> bytes:
    """Return the title that a message is opened under.

    Raises:
        PeerError: the message names another sender than the association, or nobody tells.
    """
    if named is not None and known is not None and named != known:
        raise PeerError("wrong_title", "the message names another sender than this association's", 0)
    title = named or known
    if title is None or len(title) != TITLE_OCTETS:
        raise PeerError("wrong_title", "nothing tells whose message this is", 0)
    return title
