"""Net metering of one bill: received energy against delivered energy, the bank against what is left, the excess.

Energy is whole Wh throughout and nothing is lost: delivered = billed + netted + used from the bank, and received =
netted + excess, bucket by bucket. Prices play no part here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openami.billing.rating.bank import Bank, BankMove, use_energy
from openami.billing.rating.share import shared_out
from openami.billing.tariff.export import ExportTerms

PriceKey = tuple[int, int]
"""Price version and price period, both as indexes."""


@dataclass(frozen=True, slots=True)
class NetEnergy:
    """What net metering leaves of one bill.

    Args:
        billed_wh: energy that is charged, by price.
        netted_wh: received energy that was set against delivered energy, by bucket.
        excess_wh: received energy beyond that, by bucket; only buckets that have some.
        bank: the bank after what was used of it.
        used: what was used of it.
    """

    billed_wh: Mapping[PriceKey, int]
    netted_wh: Mapping[str, int]
    excess_wh: Mapping[str, int]
    bank: Bank
    used: tuple[BankMove, ...] = ()


def net_energy(
    delivered_wh: Mapping[PriceKey, int],
    received_wh: Mapping[PriceKey, int],
    bank: Bank,
    terms: ExportTerms,
    bucket_of: Callable[[PriceKey], str],
) -> NetEnergy:
    """Net one bill.

    Args:
        delivered_wh: delivered energy by price, not negative.
        received_wh: received energy that counts, by the price in force when it was received, not negative.
        bank: energy credits that have not ended.
        terms: of net metering.
        bucket_of: the bucket of a price: one for all where netting is over the billing period.
    """
    buckets: dict[str, list[PriceKey]] = {}
    for key in sorted({*delivered_wh, *received_wh}):
        buckets.setdefault(bucket_of(key), []).append(key)
    billed: dict[PriceKey, int] = {}
    netted: dict[str, int] = {}
    excess: dict[str, int] = {}
    used: list[BankMove] = []
    for bucket, keys in buckets.items():
        shares = [delivered_wh.get(k, 0) for k in keys]
        delivered, received = sum(shares), sum(received_wh.get(k, 0) for k in keys)
        netted[bucket] = min(delivered, received)
        bank, moves = use_energy(bank, bucket, delivered - netted[bucket], terms.order)
        used += moves
        rest = delivered - netted[bucket] - sum(m.credit.wh for m in moves)
        billed |= dict(zip(keys, shared_out(rest, shares), strict=True))
        if received > delivered:
            excess[bucket] = received - delivered
    return NetEnergy(billed, netted, excess, bank, tuple(used))
