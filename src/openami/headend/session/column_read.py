"""Asking a meter, over an open association, what its columns are: the list first, then scalers and units.

Steps of a client association, like :mod:`openami.headend.session.operations`: no link, no key, no clock.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from openami.headend.profiles.columns import (
    PROFILE_CLASS,
    ColumnSheet,
    captured_objects,
    column_sheet,
    list_request,
    scaler_requests,
)
from openami.kernel.obis import Obis
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data


def read_columns(
    client: ClientAssociation,
    subject: Obis,
    *,
    meter_id: UUID,
    read_at: datetime,
    request_id: UUID,
    class_id: int = PROFILE_CLASS,
) -> Steps[ColumnSheet]:
    """Read what a meter says of the columns of one of its profiles or push setups.

    Args:
        client: an association that is open.
        subject: logical name of the profile or push setup.
        meter_id: the meter, for the record.
        read_at: domain time, UTC, for the record.
        request_id: the request that asked, for the record.
        class_id: 7 for a profile, 40 for a push setup.

    Raises:
        AccessRefusedError: the meter does not give the list. A scaler that it does not give leaves its column without.
        PeerError: an answer that is no list, or no scaler and unit.
    """
    columns = captured_objects((yield from client.read(list_request(subject, class_id=class_id))))
    wanted = scaler_requests(columns)
    given = (yield from client.read_many([(attribute, None) for attribute in wanted])) if wanted else ()
    answers = {a: value for a, value in zip(wanted, given, strict=True) if isinstance(value, Data)}
    return column_sheet(meter_id, subject, columns, answers, read_at=read_at, request_id=request_id)
