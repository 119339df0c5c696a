"""Strategies of DLMS values."""

from __future__ import annotations

from hypothesis import strategies as st

from openami.protocol.axdr import BitString, CompactArray, Data, Tag, TypeDescription
from openami.protocol.axdr.types import FIXED, FIXED_OCTETS

_RANGES = {"b": (-(2**7), 2**7 - 1), "h": (-(2**15), 2**15 - 1), "i": (-(2**31), 2**31 - 1), "q": (-(2**63), 2**63 - 1),
           "B": (0, 2**8 - 1), "H": (0, 2**16 - 1), "I": (0, 2**32 - 1), "Q": (0, 2**64 - 1)}  # fmt: skip


def fixed(tag: Tag) -> st.SearchStrategy[Data]:
    kind = FIXED[tag].format[1]
    if kind in "fd":
        return st.floats(allow_nan=False, width=32 if kind == "f" else 64).map(lambda v: Data(tag, v))
    return st.integers(*_RANGES[kind]).map(lambda v: Data(tag, v))


def simple(tag: Tag) -> st.SearchStrategy[Data]:
    if tag in FIXED:
        return fixed(tag)
    if tag in FIXED_OCTETS:
        return st.binary(min_size=FIXED_OCTETS[tag], max_size=FIXED_OCTETS[tag]).map(lambda v: Data(tag, v))
    if tag in (Tag.NULL, Tag.DONT_CARE):
        return st.just(Data(tag))
    if tag is Tag.BOOLEAN:
        return st.booleans().map(lambda v: Data(tag, v))
    if tag is Tag.BIT_STRING:
        bits = st.integers(0, 40).flatmap(
            lambda n: st.binary(min_size=(n + 7) // 8, max_size=(n + 7) // 8).map(lambda o: BitString(n, o))
        )
        return bits.map(lambda v: Data(tag, v))
    return st.binary(max_size=200).map(lambda v: Data(tag, v))


SIMPLE = [t for t in Tag if t not in (Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY)]
simple_data = st.sampled_from(SIMPLE).flatmap(simple)
descriptions = st.recursive(
    st.sampled_from(SIMPLE).map(TypeDescription),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda m: TypeDescription(Tag.STRUCTURE, tuple(m))),
        st.tuples(inner, st.integers(0, 3)).map(lambda p: TypeDescription(Tag.ARRAY, (p[0],), p[1])),
    ),
    max_leaves=4,
)


def described(kind: TypeDescription) -> st.SearchStrategy[Data]:
    if kind.tag is Tag.STRUCTURE:
        return st.tuples(*(described(m) for m in kind.members)).map(lambda v: Data(Tag.STRUCTURE, v))
    if kind.tag is Tag.ARRAY:
        return st.tuples(*(described(kind.members[0]) for _ in range(kind.count))).map(lambda v: Data(Tag.ARRAY, v))
    return simple(kind.tag)


@st.composite
def compact_arrays(draw: st.DrawFn) -> Data:
    # A first member with octets: elements of no octets at all cannot be counted on the wire.
    kind = TypeDescription(Tag.STRUCTURE, (TypeDescription(Tag.UNSIGNED), draw(descriptions)))
    elements = draw(st.lists(described(kind), max_size=4))
    return Data(Tag.COMPACT_ARRAY, CompactArray(kind, tuple(elements)))


any_data = st.recursive(
    st.one_of(simple_data, compact_arrays()),
    lambda inner: st.tuples(st.sampled_from([Tag.ARRAY, Tag.STRUCTURE]), st.lists(inner, max_size=4)).map(
        lambda p: Data(p[0], tuple(p[1]))
    ),
    max_leaves=12,
)
