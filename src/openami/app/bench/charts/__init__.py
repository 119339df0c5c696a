"""Chart data by HTTP: what a customer's page waits for, from a signed-in request to the last octet of its answer."""

from openami.app.bench.charts.measuring import run

__all__ = ["run"]
