"""The parts of the key vault in PostgreSQL; :mod:`openami.security.adapters.vault_postgres` is its face.

Every function works on a connection that its caller holds, so that what belongs together is one transaction.
"""
