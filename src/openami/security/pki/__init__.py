"""The installation's own certificate authority and the TLS 1.3 contexts of link v1.

Roles stand in the certificate (URI ``openami:<role>:<number>``), so a stolen collector cannot pose as the gateway.
"""

from openami.security.pki.authority import (
    Identity,
    certificate_days_left,
    certificate_serial,
    ensure_authority,
    ensure_identity,
    revoke,
)
from openami.security.pki.context import (
    ALPN,
    PeerIdentity,
    PeerRefusedError,
    RevocationList,
    Role,
    client_context,
    peer_identity,
    server_context,
)
from openami.security.pki.errors import PkiError

__all__ = [
    "ALPN",
    "Identity",
    "PeerIdentity",
    "PeerRefusedError",
    "PkiError",
    "RevocationList",
    "Role",
    "certificate_days_left",
    "certificate_serial",
    "client_context",
    "ensure_authority",
    "ensure_identity",
    "peer_identity",
    "revoke",
    "server_context",
]
