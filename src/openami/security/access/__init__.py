"""Who may see and do what: roles, the deny-by-default decision, scopes, local accounts and sessions.

Knows no screen and no customer's name. Two layers stand behind every read: ``decide`` here, row security in PostgreSQL.
"""
