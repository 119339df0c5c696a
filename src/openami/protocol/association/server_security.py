"""What a server's associations with one client are protected by: keys that may change, counters that outlive them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from openami.protocol.association.counters import ReceiveCounter, SendCounter
from openami.protocol.association.general import GeneralStyle
from openami.protocol.association.keys import Keys
from openami.protocol.association.protection import Protection


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """What a client's associations with this server are protected by.

    Args:
        own_title: the server's system title, 8 octets.
        keys: gives the keys of this client as they are now; asked once for each message, so that a key may change
            between two.
        send: where the server's counters come from, one for all associations under the same key.
        received: what was accepted of the client under the same key.
        client_title: the client's system title; None where any may come.
        style: how the general forms are read.
        ephemeral: gives a fresh private key for one-pass agreement.
        transaction: gives transaction ids for the general forms.
        signed: whether only signed messages pass.
        sealed_release: whether an association that is ciphered ends by a ciphered release alone. Many clients send a
            plain one, and whoever can put one on the link can cut the link as well, so it is taken by default.
    """

    own_title: bytes
    keys: Callable[[], Keys] = field(repr=False)
    send: SendCounter
    received: ReceiveCounter
    client_title: bytes | None = None
    style: GeneralStyle | None = None
    ephemeral: Callable[[], bytes] | None = field(default=None, repr=False)
    transaction: Callable[[], bytes] | None = None
    signed: bool = False
    sealed_release: bool = False

    def protection(self, control: int) -> Protection:
        """Return the protection of a new association.

        Args:
            control: security control octet below which nothing passes.
        """
        return Protection(
            own_title=self.own_title,
            keys=replace(self.keys(), dedicated=None),
            control=control,
            send=self.send,
            received=self.received,
            style=self.style,
            ephemeral=self.ephemeral,
            transaction=self.transaction,
            signed=self.signed,
        )
