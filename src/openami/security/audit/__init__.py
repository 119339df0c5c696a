"""The log of looks: append-only rows, a Merkle tree over them, signed tree heads, a verifier that trusts no database.

Hashing is that of RFC 6962 (section 2.1); tree heads are C2SP checkpoints signed with Ed25519. The tree proves that
nothing was changed or taken away, not that everything was written: the gate is the only door, and tests walk it.
"""
