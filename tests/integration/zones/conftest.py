"""Zones as network namespaces; where the machine lets us make none, the tests say why they are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.zones.namespaces import Net, NoNamespacesError, namespaces
from tests.zones.probing import load


@contextmanager
def zones(**layers: bool) -> Iterator[Net]:
    """Hold the zones with the rule sets of these layers."""
    try:
        with namespaces() as net:
            load(net, **layers)
            yield net
    except NoNamespacesError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def firewalled() -> Iterator[Net]:
    """The zones with the firewall's rules alone."""
    with zones(firewall=True) as net:
        yield net


@pytest.fixture(scope="module")
def guarded() -> Iterator[Net]:
    """The zones with every rule set, as they are deployed."""
    with zones(senders=True, firewall=True, targets=True) as net:
        yield net
