"""An HDLC client and an HDLC server over lines that lose, double, flip and cut: once and in order, or down; no hang."""

from __future__ import annotations

from collections import deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pair.protocol.hostile import GOOD, HostileLine, Hostility

from openami.protocol.envelope.link import (
    ApduReceived,
    Disconnected,
    DisconnectReason,
    HdlcAddress,
    HdlcClient,
    HdlcServer,
    LinkParameters,
    LinkState,
    LinkTimes,
)

CLIENT = HdlcAddress(1)
SERVERS = [HdlcAddress(1), HdlcAddress(1, 17, 2), HdlcAddress(1, 0x1234, 4)]
MAX_STEPS = 4_000


class Exchange:
    """A client that sends requests one by one and a server that answers each; both ends' application."""

    def __init__(
        self,
        requests: list[bytes],
        answers: list[bytes],
        *,
        parameters: LinkParameters,
        server: HdlcAddress = SERVERS[1],
        hostility: Hostility = GOOD,
        seed: int = 0,
        tries: int = 6,
        thinks_s: float = 0.0,
    ) -> None:
        self.requests, self.answers = requests, answers
        times = LinkTimes(response_s=1.0, tries=tries, poll_s=0.2, hold_s=0.4, inactivity_s=60.0)
        self.client = HdlcClient(own=CLIENT, peer=server, parameters=parameters, times=times)
        self.server = HdlcServer(own=server, parameters=parameters, times=times)
        self.lines = [HostileLine(hostility, Random(seed * 2 + i)) for i in range(2)]
        self.now = 0.0
        self.at_client: list[bytes] = []
        self.at_server: list[bytes] = []
        self.down: Disconnected | None = None
        self.steps = 0
        self._due: list[tuple[float, bytes]] = []
        self._under_way: deque[tuple[int, bytes]] = deque()
        self._thinks_s = thinks_s

    def run(self) -> None:
        """Go on until every answer is there or the client says that the link is down."""
        self._put(0, self.client.connect(now=self.now))
        while self.down is None and len(self.at_client) < len(self.requests):
            self.steps += 1
            assert self.steps < MAX_STEPS, "the link neither works nor says that it is down"
            if self._under_way:
                direction, piece = self._under_way.popleft()
                self._at_client(piece) if direction else self._at_server(piece)
            else:
                self._wait()

    def _wait(self) -> None:
        times = [t for t in (self.client.deadline(), self.server.deadline(), *(at for at, _ in self._due)) if t]
        assert times, "nothing is under way and nothing is due"
        self.now = max(self.now, min(times))
        for due in [d for d in self._due if d[0] <= self.now]:
            self._due.remove(due)
            if self.server.state is LinkState.CONNECTED:
                self._put(1, self.server.send(due[1], now=self.now))
        self._put(1, self.server.on_time(now=self.now))
        self._put(0, self.client.on_time(now=self.now))
        self._client_events()

    def _put(self, direction: int, octets: bytes) -> None:
        self._under_way.extend((direction, piece) for piece in self.lines[direction].carry(octets))

    def _at_server(self, piece: bytes) -> None:
        out = self.server.receive(piece, now=self.now)
        while event := self.server.next_event():
            if isinstance(event, ApduReceived):
                answer = self.answers[len(self.at_server)]
                self.at_server.append(event.apdu)
                if self._thinks_s:
                    self._due.append((self.now + self._thinks_s, answer))
                else:
                    out += self.server.send(answer, now=self.now)
        self._put(1, out)

    def _at_client(self, piece: bytes) -> None:
        self._put(0, self.client.receive(piece, now=self.now))
        self._client_events()

    def _client_events(self) -> None:
        while event := self.client.next_event():
            if isinstance(event, Disconnected):
                self.down = event
                return
            if isinstance(event, ApduReceived):
                self.at_client.append(event.apdu)
            if len(self.at_client) < len(self.requests):
                self._put(0, self.client.send(self.requests[len(self.at_client)], now=self.now))

    def check(self) -> None:
        """Everything that arrived arrived once and in order."""
        assert self.at_server == self.requests[: len(self.at_server)]
        assert self.at_client == self.answers[: len(self.at_client)]


sizes = st.lists(st.tuples(st.integers(1, 700), st.integers(1, 700)), min_size=1, max_size=5)
parameters = st.builds(LinkParameters, *[st.integers(32, 300)] * 2, *[st.integers(1, 7)] * 2)
chances = st.floats(0, 0.25)
hostilities = st.builds(Hostility, chances, chances, chances, st.floats(0, 1))


def _messages(sizes: list[tuple[int, int]]) -> tuple[list[bytes], list[bytes]]:
    dice = Random(len(sizes))
    return [dice.randbytes(a) for a, _ in sizes], [dice.randbytes(b) for _, b in sizes]


@settings(max_examples=120, deadline=None)
@given(sizes, parameters, hostilities, st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.7]))
def test_every_apdu_arrives_once_and_in_order_or_the_link_is_down(
    sizes: list[tuple[int, int]], parameters: LinkParameters, hostility: Hostility, seed: int, thinks_s: float
) -> None:
    requests, answers = _messages(sizes)
    exchange = Exchange(requests, answers, parameters=parameters, hostility=hostility, seed=seed, thinks_s=thinks_s)
    exchange.run()
    exchange.check()
    assert exchange.down is not None or exchange.at_client == answers


@pytest.mark.parametrize("window", [1, 2, 7])
@pytest.mark.parametrize("server", SERVERS, ids=["1 octet", "2 octets", "4 octets"])
def test_a_good_line_needs_no_time_out(server: HdlcAddress, window: int) -> None:
    requests, answers = _messages([(5_000, 20_000), (1, 1), (300, 65_535)])
    exchange = Exchange(requests, answers, parameters=LinkParameters(128, 128, window, window), server=server)
    exchange.run()
    exchange.check()
    assert (exchange.at_client, exchange.down, exchange.now) == (answers, None, 0.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "hostility",
    [Hostility(lose=0.1), Hostility(double=0.3), Hostility(flip=0.1), Hostility(0.05, 0.1, 0.05, 0.5)],
    ids=["loss", "doubling", "flips", "all"],
)
def test_a_bad_line_is_mended_by_patience(hostility: Hostility, seed: int) -> None:
    requests, answers = _messages([(200, 900)] * 6)
    exchange = Exchange(
        requests, answers, parameters=LinkParameters(128, 128, 3, 3), hostility=hostility, seed=seed, tries=20
    )
    exchange.run()
    exchange.check()
    assert exchange.at_client == answers


def test_a_dead_line_is_reported_after_the_tries() -> None:
    exchange = Exchange([b"x"], [b"y"], parameters=LinkParameters(), hostility=Hostility(lose=1.0), tries=3)
    exchange.run()
    assert exchange.down == Disconnected(DisconnectReason.NO_ANSWER)
    assert exchange.now == pytest.approx(3.0)
