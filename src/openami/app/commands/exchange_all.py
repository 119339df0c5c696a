"""All commands of ``openami exchange``: each module adds its own to the one application."""

from openami.app.commands import exchange, exchange_night, exchange_out
from openami.app.commands.exchange_app import app

__all__ = ["app", "exchange", "exchange_night", "exchange_out"]
