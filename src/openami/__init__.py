"""OpenAMI: from the sealed meter reading to the customer's bill, every step provable."""

__version__ = "0.1.0"
