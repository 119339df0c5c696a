"""The Merkle tree of RFC 6962: roots, growth, inclusion and consistency. Pure functions over hashes.

Source: RFC 6962 sections 2.1, 2.1.1 and 2.1.2; verification as in RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_OCTETS = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(octets: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that growth needs: the roots of the full subtrees, widest first, one for each set bit of the size.

    >>> Frontier().root() == EMPTY_ROOT
    True
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def grown(self, leaves: Sequence[bytes]) -> Frontier:
        """Return the frontier after these leaf hashes."""
        size, nodes = self.size, list(self.nodes)
        for leaf in leaves:
            node = leaf
            bits = size
            while bits & 1:
                node = node_hash(nodes.pop(), node)
                bits >>= 1
            nodes.append(node)
            size += 1
        return Frontier(size, tuple(nodes))

    def root(self) -> bytes:
        """Return the root hash of the tree of this size."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root

    def octets(self) -> bytes:
        """Return the nodes one after the other; the size tells how many they are."""
        return b"".join(self.nodes)

    @classmethod
    def from_octets(cls, size: int, octets: bytes) -> Frontier:
        """Read a kept frontier. The caller compares its root with the signed one before trusting it."""
        return cls(size, tuple(octets[i : i + HASH_OCTETS] for i in range(0, len(octets), HASH_OCTETS)))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root hash over leaf hashes."""
    return Frontier().grown(leaves).root()


def _split(count: int) -> int:
    """Return the largest power of two below the count."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of one leaf: what its neighbors contribute to the root, leaf upward.

    Args:
        leaves: every leaf hash of the tree.
        index: 0 to len(leaves) - 1.
    """
    if len(leaves) <= 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*inclusion_proof(leaves[:middle], index), root_of(leaves[middle:])]
    return [*inclusion_proof(leaves[middle:], index - middle), root_of(leaves[:middle])]


def includes(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof shows that the leaf stands at this index of the tree of this size and root."""
    if not 0 <= index < size:
        return False
    node, at, last = leaf, index, size - 1
    for other in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(other, node)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            node = node_hash(node, other)
        at >>= 1
        last >>= 1
    return last == 0 and node == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree of old_size is the beginning of this one.

    Args:
        leaves: every leaf hash of the newer tree.
        old_size: 1 to len(leaves).
    """
    return _subproof(leaves, old_size, is_whole=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, is_whole: bool) -> list[bytes]:
    count = len(leaves)
    if old_size == count:
        return [] if is_whole else [root_of(leaves)]
    middle = _split(count)
    if old_size <= middle:
        return [*_subproof(leaves[:middle], old_size, is_whole=is_whole), root_of(leaves[middle:])]
    return [*_subproof(leaves[middle:], old_size - middle, is_whole=False), root_of(leaves[:middle])]


def extends(*, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the proof shows that the newer tree begins with the older one."""
    if old_size == size:
        return not proof and old_root == root
    if not 0 < old_size < size or not proof:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    at, last = old_size - 1, size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(other, old), node_hash(other, new)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            new = node_hash(new, other)
        at >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == root
