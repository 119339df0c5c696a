"""A group's memory that is read back from its pages is the one that was written, however long a meter was silent."""

from __future__ import annotations

import zlib
from uuid import UUID

import numpy as np
import pytest

from openami.contracts.errors import ContractError
from openami.contracts.reading import uuid_column
from openami.headend.keeping.coverage import DAY_S, Coverage
from openami.headend.keeping.memory import GroupMemory
from openami.headend.keeping.memory_page import encode_memory, restore_memory

FIRST_DAY = 20_000
HEAD_OCTETS = 36
CHECK_OCTETS = 4
ALL = np.uint64(2**64 - 1)


def memory_of_two() -> GroupMemory:
    memory = GroupMemory(Coverage(FIRST_DAY * DAY_S))
    memory.roll(FIRST_DAY * DAY_S)
    memory.coverage.numbers(np.array([1, 2], np.uint64), uuid_column([UUID(int=1), UUID(int=2)]))
    memory.grow()
    # As after two months in which nothing was missing.
    memory.coverage.finished[:] = ALL
    memory.midnights.came[:] = ALL
    return memory


@pytest.mark.parametrize("days", [1, 10, 63, 64, 200])
def test_a_silent_meter_has_not_received_the_days_since_its_last_page(days: int) -> None:
    memory = memory_of_two()
    pages = [encode_memory(memory, np.array([0, 1]), [])]
    memory.roll((FIRST_DAY + days) * DAY_S)
    # Only the other meter was heard since.
    pages.append(encode_memory(memory, np.array([1]), []))
    restored = restore_memory(pages, began_s=0)
    assert restored.coverage.today == FIRST_DAY + days
    assert restored.coverage.finished.tolist() == memory.coverage.finished.tolist()
    assert restored.midnights.came.tolist() == memory.midnights.came.tolist()


def test_a_page_that_cannot_be_read_is_told_and_passed_over() -> None:
    memory = memory_of_two()
    pages = [encode_memory(memory, np.array([n]), []) for n in (0, 1)]
    told: list[ContractError] = []
    restored = restore_memory([pages[0][:-1], pages[1]], began_s=0, damaged=told.append)
    assert len(told) == 1
    assert restored.coverage.title.tolist() == [2]
    with pytest.raises(ContractError):
        restore_memory([pages[0][:-1]], began_s=0)


@pytest.mark.parametrize("place", range(HEAD_OCTETS))
def test_no_octet_of_the_header_changes_unnoticed(place: int) -> None:
    octets = bytearray(encode_memory(memory_of_two(), np.array([0, 1]), []))
    for bit in (1, 2, 0x80):
        octets[place] ^= bit
        with pytest.raises(ContractError):
            restore_memory([bytes(octets)], began_s=0)
        octets[place] ^= bit


def test_a_page_of_the_version_before_is_read() -> None:
    memory = memory_of_two()
    octets = encode_memory(memory, np.array([0, 1]), [])
    before = b"OM01" + octets[4 : HEAD_OCTETS - CHECK_OCTETS] + octets[HEAD_OCTETS:]
    assert restore_memory([before], began_s=0).coverage.finished.tolist() == memory.coverage.finished.tolist()


def test_a_day_of_a_meter_that_the_page_does_not_name_is_damage() -> None:
    memory = memory_of_two()
    memory.coverage.finished[:] = 0
    memory.coverage.set_bits(0, np.array([1]), np.array([FIRST_DAY * 96]))
    octets = encode_memory(memory, np.array([0, 1]), [])
    head, plain = octets[:HEAD_OCTETS], bytearray(zlib.decompress(octets[HEAD_OCTETS:]))
    place = plain.index((FIRST_DAY).to_bytes(4, "little"), len(plain) // 2)
    plain[place - 4 : place] = (7).to_bytes(4, "little")
    with pytest.raises(ContractError, match="does not name"):
        restore_memory([head + zlib.compress(bytes(plain))], began_s=0)
