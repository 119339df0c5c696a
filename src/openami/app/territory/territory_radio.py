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
from openami.network.radio import Crossing
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.sim.mesh import CellAir, TerritoryAir

AnswerOf = Callable[[SystemTitle, int, bytes], Awaitable[list[bytes]]]
"""What a meter (by title) says to a client (by address) that sends an APDU: APDUs, none where it is silent."""


@dataclass(slots=True, eq=False)
class RadioCell:
    """The air between one collector and its meters.

    Args:
        homes: home of each meter that is heard here, by title.
        air: the cell's mesh.
        answer: asks a meter.
        now_s: domain time, for what is counted.
        sleep: waits real seconds.
        airtime_s: seconds that calls were on the air, requests and answers.
        calls: how calls ended, by word.
    """

    homes: Mapping[SystemTitle, int]
    air: CellAir
    answer: AnswerOf
    now_s: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    airtime_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)

    async def deliver(self, title: SystemTitle, octets: bytes) -> list[bytes]:
        """Carry a wrapper frame to a meter and its answers back; see :data:`openami.network.delivery.Deliver`.

        Raises:
            UnknownMeterError: the meter hangs in another cell.
            DeliveryError: lost on the air, or the meter is silent.
            PeerError: no wrapper frame; the collector has looked at that.
        """
        home = self.homes.get(title)
        if home is None:
            raise UnknownMeterError(f"{title} hangs in another cell")
        header, apdu = parse_wrapper(octets)
        if not (await self._cross(home, len(octets), down=True)).arrives:
            self.calls["lost_down"] += 1
            raise DeliveryError("the meter did not hear it")
        answers = [
            wrap(header.destination_port, header.source_port, said)
            for said in await self.answer(title, header.source_port, apdu)
        ]
        if not answers:
            self.calls["silent"] += 1
            raise DeliveryError("the meter did not answer")
        for answer in answers:
            if not (await self._cross(home, len(answer), down=False)).arrives:
                self.calls["lost_up"] += 1
                raise DeliveryError("the meter did not answer")
        self.calls["answered"] += 1
        return answers

    async def _cross(self, home: int, octets: int, *, down: bool) -> Crossing:
        crossing = self.air.call(home, octets=octets, down=down, at_s=self.now_s())
        self.airtime_s += crossing.on_air_us / 1e6
        await self.sleep(crossing.took_us / 1e6)
        return crossing


def radio_cells(
    air: TerritoryAir, titles: Sequence[SystemTitle], home_of: Sequence[int], answer: AnswerOf, now_s: Callable[[], int]
) -> list[RadioCell]:
    """Return the cells in order.

    Args:
        air: the territory's.
        titles: (meters,) by number of the meter.
        home_of: (meters,) where each hangs.
        answer: asks a meter.
        now_s: domain time, seconds since the epoch.
    """
    homes: list[dict[SystemTitle, int]] = [{} for _ in air.cells]
    for title, home in zip(titles, home_of, strict=True):
        homes[int(air.cell_of[home])][title] = home
    return [RadioCell(heard, cell, answer, now_s) for heard, cell in zip(homes, air.cells, strict=True)]


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
