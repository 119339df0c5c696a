"""What our meter logs and raises has a meaning at the head-end."""

from __future__ import annotations

import pytest

from openami.contracts.event import EventKind
from openami.headend.listening.event_codes import event_kind
from openami.meter.events import COMMUNICATION_LOG, INCIDENTS, LOG_OF, EventCode
from openami.protocol.push import PROFILE


@pytest.mark.parametrize("code", EventCode)
def test_every_code_that_the_meter_logs_means_something_to_the_head_end(code: EventCode) -> None:
    assert event_kind(PROFILE, LOG_OF[code], code) is not EventKind.OTHER


@pytest.mark.attack("A1")
def test_attacks_mean_something_in_whichever_log_they_stand() -> None:
    assert {log for _, log in INCIDENTS.values()} == {1, COMMUNICATION_LOG}
    assert all(event_kind(PROFILE, log, code) is not EventKind.OTHER for code, log in INCIDENTS.values())
