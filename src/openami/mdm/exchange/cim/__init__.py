"""IEC 61968-9 messages of master data: the same records as flat files, with the standard's envelope and reply."""

from openami.mdm.exchange.cim.reader import parse_cim
from openami.mdm.exchange.cim.reply import reply_text

__all__ = ["parse_cim", "reply_text"]
