"""A meter's name and keys, and how it seals a push: a DataNotification, authenticated and encrypted, in a wrapper.

The keys are the meter's own. They come from the factory that made it and never leave it but in a shipment file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle
from openami.protocol.apdu import DataNotification, encode, general_glo
from openami.protocol.axdr import Data
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.envelope.ports import PUSH_SINK_PORT, PushPort
from openami.protocol.envelope.wrapper import wrap
from openami.security.suites.gcm import seal

KEY_OCTETS = 16
_UNCONFIRMED_HIGH_PRIORITY = 0x8000_0000
_INVOKE_ID_MASK = 0x00FF_FFFF


@dataclass(frozen=True, slots=True)
class MeterIdentity:
    """The only name a meter has, and its suite 0 keys; the keys are not shown.

    Args:
        title: system title.
        encryption_key: global unicast encryption key, 16 octets.
        authentication_key: authentication key, 16 octets.
        master_key: key that new keys come wrapped in, 16 octets; None for a meter whose keys are for life.
        counted_from: how much the meter had sealed when its encryption key came; its invocation counter is what it
            sealed since.
        keys_taken: how often its encryption key was changed.
        broadcast_key: key that it shares with its group, 16 octets; None before it got one.

    Raises:
        MisuseError: a key of another length, or one key for two uses.
    """

    title: SystemTitle
    encryption_key: bytes = field(repr=False)
    authentication_key: bytes = field(repr=False)
    master_key: bytes | None = field(default=None, repr=False)
    counted_from: int = 0
    keys_taken: int = 0
    broadcast_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        own = (self.encryption_key, self.authentication_key, self.master_key, self.broadcast_key)
        keys = [k for k in own if k is not None]
        if any(len(k) != KEY_OCTETS for k in keys):
            raise MisuseError(f"a suite 0 key has {KEY_OCTETS} octets")
        if len(set(keys)) != len(keys):
            raise MisuseError("a meter's keys differ")

    def taking(self, renewed: MeterIdentity, *, sealed: int) -> MeterIdentity:
        """Return the identity after a change of keys: under another encryption key counters begin anew.

        Args:
            renewed: the new keys.
            sealed: how much the meter has sealed until now.
        """
        if renewed.encryption_key == self.encryption_key:
            return renewed
        return replace(renewed, counted_from=sealed, keys_taken=self.keys_taken + 1)


def sealed_push(identity: MeterIdentity, *, counter: int, at: datetime, body: Data, port: PushPort) -> bytes:
    """Return the wrapper frame of one sealed push.

    Args:
        identity: who sends.
        counter: an invocation counter that was never used.
        at: when it is sent, by the meter's clock.
        body: the notification body of the push setup.
        port: the wrapper source port of the push setup.
    """
    invoke_id = _UNCONFIRMED_HIGH_PRIORITY | counter & _INVOKE_ID_MASK
    notification = encode(DataNotification(invoke_id, date_time_from_utc(at), body))
    title = identity.title.octets
    sealed = seal(title, counter, notification, key=identity.encryption_key, auth_key=identity.authentication_key)
    return wrap(port, PUSH_SINK_PORT, general_glo(title, sealed))
