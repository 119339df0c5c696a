"""A9: the public client is nobody's word. A counter that somebody put in its answer costs one attempt and no meter."""

from __future__ import annotations

import pytest
from tests.pair.meter.reading import Reader
from tests.pair.meter.test_read_a_meter import COUNTER, associations
from tests.unit.meter.made import meter

from openami.protocol import apdu as messages
from openami.protocol.apdu.services import GetResponse
from openami.protocol.association.client import fetch_invocation_counter
from openami.protocol.association.drive import drive
from openami.protocol.association.errors import AssociationRefusedError
from openami.protocol.axdr import Data, Tag
from openami.protocol.errors import PeerError
from openami.security.suites.gcm import MAX_COUNTER

pytestmark = pytest.mark.attack("A9")


@pytest.mark.parametrize("poison", [MAX_COUNTER - 1, MAX_COUNTER, 2**31], ids=["nearly the last", "the last", "half"])
def test_a_poisoned_counter_is_held_by_the_meter_and_the_right_one_still_serves(poison: int) -> None:
    one = meter()
    served = associations(one)
    Reader(one.identity, served.answer, first_counter=500).associate()

    def liar(octets: bytes) -> bytes:
        (answer,) = served.answer(16, octets)
        response = messages.decode(answer)
        if not isinstance(response, GetResponse):
            return answer
        return messages.encode(GetResponse(response.invoke, Data(Tag.DOUBLE_LONG_UNSIGNED, poison)))

    told = drive(fetch_invocation_counter(COUNTER), protection=None, exchange=liar)
    with pytest.raises((AssociationRefusedError, PeerError)):
        Reader(one.identity, served.answer, first_counter=min(told + 1, MAX_COUNTER)).associate()
    assert one.log, "the meter has written down that a counter jumped"
    # Nothing of it was believed at the meter's end, so whoever keeps a counter of his own goes on.
    Reader(one.identity, served.answer, first_counter=510).associate()
