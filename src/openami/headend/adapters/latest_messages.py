"""Newest messages of the subjects of a DMZ stream, and then those that come."""

from __future__ import annotations

from nats.aio.client import Client
from nats.js import api

from openami.contracts.stream import StreamSpec
from openami.headend.adapters.dmz_reader import DmzReader


class LatestMessages:
    """One reader of one stream.

    Args:
        client: connected as ``headend_dmz``.
        spec: the stream; its first subject is read.
        most: messages of one call.
    """

    def __init__(self, client: Client, spec: StreamSpec, *, most: int) -> None:
        self._reader = DmzReader(client, spec, most=most)

    async def read(self) -> list[bytes]:
        """Return the bodies that came since the last call; after a start the last of each subject.

        Raises:
            BusUnavailableError: the bus does not answer; the next call begins anew.
        """
        return await self._reader.read(api.ConsumerConfig(deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT))

    async def close(self) -> None:
        """Stop reading. Never raises."""
        await self._reader.close()
