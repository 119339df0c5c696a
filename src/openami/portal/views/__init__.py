"""Shapes of the answers, as the web application sees them. Pydantic, because OpenAPI is the contract.

Instants are seconds since the epoch (UTC) unless a field says that it is a local date. Energy is in Wh, money is
decimal text. Large answers are columns, never lists of objects.
"""
