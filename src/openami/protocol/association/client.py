"""An association from the client's side, sans-IO: every operation is a generator of steps.

``associate`` proposes, proves and is proved to; then ``read``, ``read_many``, ``write``, ``call`` and ``access`` work
until ``release``. Long values go in blocks both ways. What a server refuses by the rules is a typed error of
:mod:`openami.protocol.association.errors` and :mod:`openami.protocol.association.ports`; what it gets wrong is a
:class:`PeerError`.

Source: IEC 62056-5-3, 6 (services), 7.3 (opening and releasing), 9.4 (APDUs).
"""

from __future__ import annotations

from collections.abc import Sequence

from openami.kernel.obis import Obis
from openami.protocol.apdu.services import AccessItem, AccessOutcome, GetResult, SelectedAttribute
from openami.protocol.association import client_call, client_establish, client_read, client_write
from openami.protocol.association.channel import ALL_SERVICES, Channel, ClientSettings, ClientState, Negotiated
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import AttributeRef, DataAccessResult, MethodRef, Selection
from openami.protocol.errors import PeerError

__all__ = ["ALL_SERVICES", "ClientAssociation", "ClientSettings", "ClientState", "fetch_invocation_counter"]

DATA_CLASS = 1
_MAX_COUNTER = 0xFFFF_FFFF


class ClientAssociation:
    """One association; not shared between tasks.

    Args:
        settings: what the client proposes and insists on.
    """

    __slots__ = ("_channel",)

    def __init__(self, settings: ClientSettings) -> None:
        self._channel = Channel(settings)

    @property
    def state(self) -> ClientState:
        """Where this end stands."""
        return self._channel.state

    @property
    def negotiated(self) -> Negotiated:
        """What both ends agreed on."""
        return self._channel.negotiated

    def associate(self, *, challenge: bytes | None = None) -> Steps[Negotiated]:
        """Open the association.

        Args:
            challenge: fresh random octets, 16 to 64; needed by the high mechanisms, never used twice.

        Raises:
            AssociationRefusedError: the server does not take us.
            PeerError: a wrong title or answer, a challenge that is ours sent back, weaker protection than agreed.
            UsageError: no challenge where one is needed, or an association that is open.
        """
        return client_establish.associate(self._channel, challenge)

    def read(self, attribute: AttributeRef, selection: Selection | None = None) -> Steps[Data]:
        """Return the value of an attribute.

        Raises:
            AccessRefusedError: the server says why not.
            PeerError, ServiceRefusedError: as :meth:`openami.protocol.association.channel.Channel.ask`.
        """
        return client_read.read(self._channel, attribute, selection)

    def read_many(self, items: Sequence[SelectedAttribute]) -> Steps[tuple[GetResult, ...]]:
        """Return the values of several attributes, in order; a refused one as its result.

        Raises:
            PeerError, ServiceRefusedError: as :meth:`read`.
        """
        return client_read.read_many(self._channel, tuple(items))

    def write(self, attribute: AttributeRef, value: Data, selection: Selection | None = None) -> Steps[None]:
        """Set an attribute.

        Raises:
            AccessRefusedError: the server says why not.
            PeerError, ServiceRefusedError: as :meth:`read`.
        """
        return client_write.write(self._channel, attribute, value, selection)

    def write_many(self, items: Sequence[tuple[AttributeRef, Data]]) -> Steps[tuple[DataAccessResult, ...]]:
        """Set several attributes and return how each ended, in order.

        Raises:
            PeerError, ServiceRefusedError: as :meth:`read`.
        """
        return client_write.write_many(self._channel, tuple(items))

    def call(self, method: MethodRef, parameter: Data | None = None) -> Steps[Data | None]:
        """Call a method and return its value, if it has one.

        Raises:
            ActionRefusedError: the server says why not.
            AccessRefusedError: it was carried out, and the value is not given.
            PeerError, ServiceRefusedError: as :meth:`read`.
        """
        return client_call.call(self._channel, method, parameter)

    def access(self, items: Sequence[AccessItem]) -> Steps[tuple[AccessOutcome, ...]]:
        """Read, write and call in one message, and return how each ended, in order.

        Raises:
            PeerError, ServiceRefusedError: as :meth:`read`.
            UsageError: the server has no ACCESS.
        """
        return client_call.access(self._channel, tuple(items))

    def release(self) -> Steps[None]:
        """Close the association. It is closed at this end whatever the server answers.

        Raises:
            PeerError: the answer does not pass.
        """
        return client_establish.release(self._channel)


def fetch_invocation_counter(instance: Obis) -> Steps[int]:
    """Read an invocation counter through the public client, without protection, and return it.

    Nobody proves this figure. A client that starts without knowing its counter uses it within bounds of its own and
    proves it by the first message that passes. Run it over a link of the public client's address (16).

    Args:
        instance: logical name of the counter, for example 0.0.43.1.0.255.

    Raises:
        PeerError: the value is no counter of 32 bits, or an answer does not pass.
        AssociationRefusedError, AccessRefusedError, ServiceRefusedError: the server says no.
    """
    public = ClientAssociation(ClientSettings())
    yield from public.associate()
    value = yield from public.read(AttributeRef(DATA_CLASS, instance, 2))
    yield from public.release()
    counter = value.integer
    if counter is None or not 0 <= counter <= _MAX_COUNTER:
        raise PeerError("bad_counter", "the invocation counter is not a number of 32 bits", 0)
    return counter
