"""The one error family for bytes on the bus that are not the message they claim to be."""

from openami.kernel.errors import OpenAmiError


class ContractError(OpenAmiError):
    """A bus message or file between rooms cannot be read; the text says where and why."""
