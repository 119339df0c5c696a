"""An order list signed as a customer information system would sign it: to try one, and to show how."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from openami.app.settings import real_now
from openami.headend.switching.list_file import NOTICE, OrderList, written_list
from openami.headend.switching.order import SwitchAction, SwitchReason, SwitchSubject
from openami.kernel.errors import MisuseError
from openami.kernel.ids import BadSystemTitleError, SystemTitle
from openami.kernel.time import Period, instant_from_epoch_s
from openami.security.closed_file import make_closed_once
from openami.security.suites.ed25519 import PRIVATE_KEY_OCTETS, public_key_of, sign

SUBJECTS = {
    "disconnect": SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT),
    "reconnect": SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID),
    NOTICE: None,
}


def signed_file(action: str, meters: bytes, *, key: Path, out: Path, hours: float) -> UUID:
    """Write a signed list and return its id.

    Args:
        action: disconnect (for non-payment), reconnect (paid), or notice (of payments).
        meters: a system title and a service point a line.
        key: file of the private key; a random one is made where there is none, with its public key beside it.
        out: where the list goes.
        hours: for how long it may be carried out.

    Raises:
        MisuseError: an action or a line that is none, or a file that cannot be written.
    """
    if action not in SUBJECTS:
        raise MisuseError(f"{action!r} is none of {', '.join(SUBJECTS)}")
    places = sorted(_place(n, line) for n, line in enumerate(meters.decode("ascii", "replace").split("\n"), 1) if line)
    now = instant_from_epoch_s(int(real_now().timestamp()))
    window = Period(now, now + timedelta(seconds=int(hours * 3_600)))
    found = OrderList(uuid4(), SUBJECTS[action], now, window, tuple(places))
    try:
        make_closed_once(key, lambda: secrets.token_bytes(PRIVATE_KEY_OCTETS))
        private_key = key.read_bytes()
        key.with_name(key.name + ".pub").write_text(public_key_of(private_key).hex() + "\n")
        out.write_bytes(written_list(found, sign=lambda octets: sign(octets, private_key=private_key)))
    except OSError as error:
        raise MisuseError(f"{out} cannot be written: {error.strerror or type(error).__name__}") from error
    return found.list_id


def _place(number: int, line: str) -> tuple[SystemTitle, UUID]:
    title, _, place = line.strip().partition(" ")
    try:
        return SystemTitle.from_hex(title), UUID(place)
    except (ValueError, BadSystemTitleError) as error:
        raise MisuseError(f"line {number}: a system title and a service point are wanted") from error
