"""Fixtures of the tests of bills."""

from tests.integration.billing.test_billing import world

__all__ = ["world"]
