"""The columnar engine: bills of a whole fleet at once, to the cent those of the engine that reads like a rate sheet."""

from openami.billing.rating.fleet.determinant import fleet_determinants
from openami.billing.rating.fleet.found import FleetDeterminants
from openami.billing.rating.fleet.index import FleetIndex, price_index
from openami.billing.rating.fleet.matrix import UsageMatrix
from openami.billing.rating.fleet.rated import determinants_of_rows, is_columnar, rated_fleet
from openami.billing.rating.fleet.total import FleetBills, fleet_bills

__all__ = [
    "FleetBills",
    "FleetDeterminants",
    "FleetIndex",
    "UsageMatrix",
    "determinants_of_rows",
    "fleet_bills",
    "fleet_determinants",
    "is_columnar",
    "price_index",
    "rated_fleet",
]
