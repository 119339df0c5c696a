"""A profile buffer that was read becomes the same rows that its pushes become: same layout, same scalers, same zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from openami.headend.profiles import MeterProfile, PushKind, PushRows, interpret, rows_of
from openami.headend.profiles.model import ReadableProfile, RowLayout
from openami.protocol.apdu import DataNotification
from openami.protocol.axdr import Data, array, octet_string, structure, u8
from openami.protocol.cosem.profile_buffer import Row, expand_rows
from openami.protocol.errors import PeerError

LOAD_PROFILE = "load_profile"
DAILY_PROFILE = "daily_profile"
LOG_SUFFIX = "_log"
_FAILURE_LOG = "power_failure_log"
_LOG_VALUE_GROUP = 4
"""E of 0.0.99.98.e.255 is the number of the event log."""


def answers_pulls(profile: MeterProfile) -> bool:
    """Tell whether meters of this model can be asked for intervals."""
    return LOAD_PROFILE in profile.reads


def event_logs(profile: MeterProfile) -> tuple[ReadableProfile, ...]:
    """Return the event logs that can be read."""
    return tuple(r for n, r in profile.reads.items() if n.endswith(LOG_SUFFIX) and n != _FAILURE_LOG)


def pulled_rows(buffer: Data, read: ReadableProfile, profile: MeterProfile, *, zone: ZoneInfo) -> PushRows:
    """Return the rows of a buffer.

    Args:
        buffer: value of the buffer attribute, whole columns.
        read: which profile of the meter it is.
        profile: the meter's.
        zone: the meter's, used only where a stamp has no deviation.

    Raises:
        PeerError: the buffer is not what the profile's layout says.
    """
    kind = _kind(read)
    layout = _layout(profile, kind)
    rows = expand_rows(buffer, capture_period_s=read.capture_period_s)
    if kind is PushKind.EVENTS:
        rows = tuple(_with_log(row, read.obis.octets[_LOG_VALUE_GROUP]) for row in rows)
    body = structure(octet_string(layout.push_setup.octets), array(*(structure(*row) for row in rows)))
    return rows_of(interpret(DataNotification(0, None, body), profile=profile.name), zone=zone)


def _kind(read: ReadableProfile) -> PushKind:
    if read.name.endswith(LOG_SUFFIX):
        return PushKind.EVENTS
    return PushKind.LOAD_PROFILE if read.name == LOAD_PROFILE else PushKind.REGISTERS


def _layout(profile: MeterProfile, kind: PushKind) -> RowLayout:
    found = next((layout for layout in profile.rows.values() if layout.kind is kind), None)
    if found is None:
        raise PeerError("bad_layout", f"meter profile {profile.name} has no layout for {kind.value}", 0)
    return found


def _with_log(row: Row, log: int) -> Row:
    """Return an entry as event pushes write it: clock, number of the log, code."""
    if len(row) != 2:
        raise PeerError("bad_layout", "an event log has entries of clock and code", 0)
    return (row[0], u8(log), row[1])
