"""The interval store: tables, named queries and the wire between the owner process and its clients.

This room knows no engine handle and opens no socket: it makes SQL text with typed parameters, turns Arrow columns into
contracts and back, and reads and writes the octets of the store's own protocol. The adapters
(``mdm.adapters.store_*``) run them. It refuses to know who asks: a scope is checked, never made, here.
"""
