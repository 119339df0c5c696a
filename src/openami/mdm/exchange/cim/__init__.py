"""IEC 61968-9 messages of master data: the same records as flat files, with the standard's envelope and reply."""

from openami.mdm.exchange.cim.asking import asked_text, parse_asking
from openami.mdm.exchange.cim.reader import parse_cim
from openami.mdm.exchange.cim.reply import reply_text

__all__ = ["asked_text", "parse_asking", "parse_cim", "reply_text"]
