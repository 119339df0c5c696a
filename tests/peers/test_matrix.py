"""Other makers' stacks and ours understand each other; see :mod:`tests.peers.matrix`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.peers import asked_by_us, asked_of_us, pushed_to_us
from tests.peers.environments import Peer, peers
from tests.peers.result import Cell, Outcome

from openami.app.bench.peers import PeerUnavailableError

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def known() -> dict[str, Peer]:
    try:
        return peers()
    except PeerUnavailableError as error:
        pytest.skip(f"the peers cannot be installed here: {error}")


def check(cells: list[Cell], count: int) -> None:
    failed = [f"{cell.way}: {cell.operation}: {cell.detail}" for cell in cells if cell.outcome is Outcome.FAILED]
    assert not failed, "\n".join(failed)
    assert len(cells) == count


@pytest.mark.parametrize("library", asked_of_us.CLIENTS)
async def test_a_client_reads_our_meter(library: str, known: dict[str, Peer], tmp_path: Path) -> None:
    check(await asked_of_us.cells_of(known[library], tmp_path), asked_of_us.count_of(library))


async def test_our_client_reads_a_meter_in_every_way(known: dict[str, Peer]) -> None:
    check(await asked_by_us.cells_of(known["pydlms-client"]), 4 * len(asked_by_us.WAYS))


@pytest.mark.parametrize("library", pushed_to_us.PUSHERS)
async def test_pushes_are_taken_and_decoded(library: str, known: dict[str, Peer]) -> None:
    check(await pushed_to_us.cells_of(known[library]), pushed_to_us.OPERATIONS * len(pushed_to_us.PUSHERS[library][1]))
