"""Order lists of the customer information system: a text file under an Ed25519 signature. One changed octet voids it.

::

    openami order list 1
    list 2f1c7a52-9d0e-4b38-8f6e-5a6b5d0c9a11
    action disconnect
    reason non_payment
    made 2026-03-02T12:00:00+00:00
    window 2026-03-02T14:00:00+00:00 2026-03-02T22:00:00+00:00
    meters 2
    4f414d0000000001 6b1f...-service-point-id
    4f414d0000000002 91c0...-service-point-id
    signature 5d0c...128 hexadecimal digits

Lines end with one line feed, and the signature covers everything before its own line, under a name of its own. The
file holds no customer: places by their random ids and meters by their names, each once, in rising order of meters.
A list ``notice paid`` switches nothing: it says who has paid.

Source: research on utility practice (one signed order list, approved once, re-checked per meter).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from openami.headend.switching.order import SwitchAction, SwitchOrderError, SwitchReason, SwitchSubject
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import BadSystemTitleError, SystemTitle
from openami.kernel.time import Period
from openami.security.suites.ed25519 import SIGNATURE_OCTETS, verifies

MAGIC = "openami order list 1"
NOTICE = "notice"
MAX_LIST_OCTETS = 1024 * 1024
MAX_LIST_METERS = 10_000
"""Fifty working days of a large utility's disconnections: a longer list is a mistake, or worse. Whoever carries orders
out reads the lists of all that stand once a second.
"""
SIGNED_NAME = b"openami order list v1\x00"
_SIGNATURE = b"signature "


@dataclass(frozen=True, slots=True)
class OrderList:
    """A list as it was signed.

    Args:
        list_id: random, of the customer information system: a list serves once.
        subject: action and reason; None for a notice of payments.
        made_at: when it was made.
        window: in which it may be carried out.
        places: the place of each meter.
    """

    list_id: UUID
    subject: SwitchSubject | None
    made_at: datetime
    window: Period
    places: tuple[tuple[SystemTitle, UUID], ...] = field(repr=False)


def written_list(found: OrderList, *, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a list as a signed file.

    Args:
        found: the list.
        sign: signs octets with the customer information system's key, Ed25519.
    """
    what = [f"action {found.subject.text}", f"reason {found.subject.reason.value}"] if found.subject else []
    lines = [
        MAGIC,
        f"list {found.list_id}",
        *(what or [f"action {NOTICE}", "reason paid"]),
        f"made {found.made_at.isoformat()}",
        f"window {found.window.start.isoformat()} {found.window.end.isoformat()}",
        f"meters {len(found.places)}",
        *(f"{title} {place}" for title, place in sorted(found.places)),
    ]
    body = "".join(f"{line}\n" for line in lines).encode("ascii")
    return body + _SIGNATURE + sign(SIGNED_NAME + body).hex().encode() + b"\n"


def read_list(octets: bytes, *, public_keys: Sequence[bytes]) -> OrderList:
    """Read a signed list. Nothing of it is looked at before its signature stands.

    Args:
        octets: the file.
        public_keys: registered Ed25519 public keys, any of which may have signed.

    Raises:
        SwitchOrderError: no registered key signed exactly this, or what was signed is no list; names the line.
    """
    if len(octets) > MAX_LIST_OCTETS:
        raise SwitchOrderError(f"an order list has at most {MAX_LIST_OCTETS} octets")
    body, mark, rest = octets.rpartition(_SIGNATURE)
    signature = _hex(rest)
    if not mark or not any(verifies(signature, SIGNED_NAME + body, public_key=key) for key in public_keys):
        raise SwitchOrderError(
            "no registered key has signed this list as it is: it is refused whole. "
            "Ask the customer information system for the list anew"
        )
    try:
        lines = body.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise SwitchOrderError("an order list is ASCII") from error
    found = _parsed(lines)
    if _body_of(found) != body:
        raise SwitchOrderError("an order list in another than its one form")
    return found


def _parsed(lines: list[str]) -> OrderList:
    if lines[0] != MAGIC:
        raise SwitchOrderError(f"line 1: not {MAGIC!r}")
    heads = dict(_heads(lines[1:7]))
    try:
        list_id, made_at = UUID(heads["list"]), _instant(heads["made"])
        start, _, end = heads["window"].partition(" ")
        window = Period(_instant(start), _instant(end))
        subject = None
        if (heads["action"], heads["reason"]) != (NOTICE, SwitchReason.PAID.value):
            subject = _subject(heads["action"], heads["reason"])
        count = int(heads["meters"])
    except (KeyError, ValueError, OpenAmiError) as error:
        raise SwitchOrderError(f"the head of an order list: {error}") from error
    rows = lines[7:-1]
    if count != len(rows) or not 1 <= count <= MAX_LIST_METERS:
        raise SwitchOrderError(f"the list says {count} meters and has {len(rows)}: it is refused whole")
    places = tuple(_place(n, row) for n, row in enumerate(rows, 8))
    if any(one[0] >= next_[0] for one, next_ in pairwise(places)):
        raise SwitchOrderError("the meters of an order list stand in rising order, each once")
    return OrderList(list_id, subject, made_at, window, places)


def _heads(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        word, _, rest = line.partition(" ")
        yield word, rest


def _subject(action: str, reason: str) -> SwitchSubject:
    if action not in {SwitchAction.DISCONNECT.value, SwitchAction.RECONNECT.value}:
        raise SwitchOrderError(f"{action[:40]!r}: a list disconnects, reconnects, or is a notice")
    return SwitchSubject(SwitchAction(action), SwitchReason(reason))


def _place(number: int, row: str) -> tuple[SystemTitle, UUID]:
    title, _, place = row.partition(" ")
    try:
        return SystemTitle.from_hex(title), UUID(place)
    except (ValueError, BadSystemTitleError) as error:
        raise SwitchOrderError(f"line {number}: no meter and place") from error


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or found.microsecond:
        raise ValueError("an instant with its offset, in whole seconds, is wanted")
    return found


def _hex(text: bytes) -> bytes:
    digits = text.removesuffix(b"\n")
    try:
        return bytes.fromhex(digits.decode("ascii")) if len(digits) == 2 * SIGNATURE_OCTETS else b""
    except ValueError:
        return b""


def _body_of(found: OrderList) -> bytes:
    return written_list(found, sign=lambda _: b"").rpartition(_SIGNATURE)[0]
