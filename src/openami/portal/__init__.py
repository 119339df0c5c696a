"""HTTP for customers, staff and third parties. Translation only: it asks the rooms and words the answer.

The OpenAPI document is the contract of the web application (``scripts/openapi.py`` prints it).
"""
