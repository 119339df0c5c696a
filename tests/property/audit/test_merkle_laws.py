"""Laws of the tree: growth equals the definition, proofs prove, and nothing else verifies."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from openami.security.audit.merkle import (
    Frontier,
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    leaf_hash,
    root_of,
)

leaves_of = st.lists(st.binary(max_size=8).map(leaf_hash), min_size=1, max_size=70)


def defined_root(leaves: list[bytes]) -> bytes:
    """The recursive definition of RFC 6962 section 2.1, written out."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


@given(leaves_of, st.integers(0, 70))
def test_a_grown_frontier_has_the_defined_root_wherever_it_was_cut(leaves: list[bytes], cut: int) -> None:
    first = Frontier().grown(leaves[:cut])
    kept = Frontier.from_octets(first.size, first.octets())
    assert kept.grown(leaves[cut:]).root() == defined_root(leaves)
    assert len(first.nodes) == first.size.bit_count()


@given(leaves_of, st.data())
def test_an_inclusion_proof_verifies_for_its_leaf_at_its_index_alone(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root, size = inclusion_proof(leaves, index), root_of(leaves), len(leaves)
    assert includes(leaf=leaves[index], index=index, size=size, proof=proof, root=root)
    assert not includes(leaf=leaf_hash(b"other" * 3), index=index, size=size, proof=proof, root=root)
    assert not includes(leaf=leaves[index], index=index, size=size, proof=[*proof, root], root=root)
    assert not includes(leaf=leaves[index], index=size, size=size, proof=proof, root=root)
    if proof:
        assert not includes(leaf=leaves[index], index=index, size=size, proof=proof[:-1], root=root)


@settings(max_examples=200)
@given(leaves_of, st.data())
def test_a_consistency_proof_verifies_growth_and_refuses_a_rewritten_past(
    leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    proof, root, size = consistency_proof(leaves, old), root_of(leaves), len(leaves)
    assert extends(old_size=old, old_root=root_of(leaves[:old]), size=size, root=root, proof=proof)
    forged = root_of([leaf_hash(b"forged" * 2), *leaves[1:old]])
    assert not extends(old_size=old, old_root=forged, size=size, root=root, proof=proof)
