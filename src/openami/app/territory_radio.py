"""The simulated radio of a cell, as its collector calls meters: seconds of waiting, some loss, time on the air counted.

Waits are real seconds whatever the speed of domain time is: who asks waits in real time, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from openami.kernel.ids import SystemTitle
from openami.network.collector import Collector
from openami.network.delivery import Deliveries
from openami.network.ports import DeliveryError, UnknownMeterError
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.sim.radio import airtime_s, radio_call

AnswerOf = Callable[[SystemTitle, int, bytes], Awaitable[list[bytes]]]
"""What a meter (by title) says to a client (by address) that sends an APDU: APDUs, none where it is silent."""


@dataclass(slots=True, eq=False)
class RadioCell:
    """The air between one collector and its meters.

    Args:
        seed: the world's.
        meters: number of each meter that is heard here, by title.
        answer: asks a meter.
        sleep: waits real seconds.
        airtime_s: seconds that calls were on the air, requests and answers.
        calls: how calls ended, by word.
    """

    seed: int
    meters: Mapping[SystemTitle, int]
    answer: AnswerOf
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    airtime_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    _numbers: Counter[int] = field(default_factory=Counter)

    async def deliver(self, title: SystemTitle, octets: bytes) -> list[bytes]:
        """Carry a wrapper frame to a meter and its answers back; see :data:`openami.network.delivery.Deliver`.

        Raises:
            UnknownMeterError: the meter hangs in another cell.
            DeliveryError: lost on the air, or the meter is silent.
            PeerError: no wrapper frame; the collector has looked at that.
        """
        meter = self.meters.get(title)
        if meter is None:
            raise UnknownMeterError(f"{title} hangs in another cell")
        header, apdu = parse_wrapper(octets)
        call = radio_call(self.seed, meter=meter, number=self._numbers[meter])
        self._numbers[meter] += 1
        self.airtime_s += airtime_s(len(octets)) * call.tries / 2
        await self.sleep(call.down_s + airtime_s(len(octets)))
        if not call.reaches:
            self.calls["lost_down"] += 1
            raise DeliveryError("the meter did not hear it")
        answers = [
            wrap(header.destination_port, header.source_port, said)
            for said in await self.answer(title, header.source_port, apdu)
        ]
        on_air_s = sum(airtime_s(len(a)) for a in answers)
        self.airtime_s += on_air_s * call.tries / 2
        await self.sleep(call.up_s + on_air_s)
        if not answers or not call.returns:
            self.calls["lost_up" if answers else "silent"] += 1
            raise DeliveryError("the meter did not answer")
        self.calls["answered"] += 1
        return answers


def radio_cells(seed: int, titles: Sequence[SystemTitle], cell_of: Sequence[int], answer: AnswerOf) -> list[RadioCell]:
    """Return the cells in order.

    Args:
        seed: the world's.
        titles: (meters,) by number of the meter.
        cell_of: (meters,) number of the cell in which each hangs, from 0.
        answer: asks a meter.
    """
    meters: list[dict[SystemTitle, int]] = [{} for _ in range(max(cell_of, default=-1) + 1)]
    for number, (title, cell) in enumerate(zip(titles, cell_of, strict=True)):
        meters[cell][title] = number
    return [RadioCell(seed, heard, answer) for heard in meters]


def serve_commands(
    collectors: Sequence[Collector], cells: Sequence[RadioCell], stamp_ms: Callable[[], int]
) -> list[Deliveries]:
    """Let each collector carry commands to the meters of its cell, from now on.

    Args:
        collectors: one for each cell, in order.
        cells: their air.
        stamp_ms: the collectors' clock, milliseconds since the epoch.
    """
    served = []
    for collector, cell in zip(collectors, cells, strict=True):
        deliveries = Deliveries(deliver=cell.deliver, offer=collector.offer, tell=collector.tell, stamp_ms=stamp_ms)
        collector.on_down(deliveries.take)
        served.append(deliveries)
    return served
