"""Signatures: many statements, one operation of the key; nothing that was not signed verifies."""

import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from node.model.directory import NodeEntry, PublicKey
from node.model.envelope import Signature
from node.seal import signature as room
from node.seal.public import sealing_key_of
from node.seal.signature import ENVELOPE_LABEL, RECEIPT_LABEL, sign_statements, verify, verify_by

KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER_PUBLIC = Ed25519PrivateKey.from_private_bytes(b"2" * 32).public_key().public_bytes_raw()
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Order of the Ed25519 group (RFC 8032 5.1)."""


def statements(count: int) -> list[bytes]:
    return [b"statement %d" % number for number in range(count)]


def reference_root(leaves: list[bytes]) -> bytes:
    """Merkle tree hash, word for word as RFC 6962 2.1 defines it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


def reference_path(index: int, leaves: list[bytes]) -> tuple[bytes, ...]:
    """Audit path, word for word as RFC 6962 2.1.1 defines it."""
    if len(leaves) == 1:
        return ()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return (*reference_path(index, leaves[:split]), reference_root(leaves[split:]))
    return (*reference_path(index - split, leaves[split:]), reference_root(leaves[:split]))


@pytest.mark.parametrize("count", range(1, 71))
def test_trees_of_every_size_are_those_of_rfc_6962_and_every_leaf_verifies(count: int) -> None:
    signed = sign_statements(KEY, RECEIPT_LABEL, statements(count))
    leaves = [RECEIPT_LABEL + b"\0" + statement for statement in statements(count)]
    octets = b"truc signature\0" + count.to_bytes(4, "big") + reference_root(leaves)
    KEY.public_key().verify(signed[0].root_signature, octets)
    for index, (statement, signature) in enumerate(zip(statements(count), signed, strict=True)):
        assert signature.path == reference_path(index, leaves)
        assert (signature.leaf_index, signature.tree_size) == (index, count)
        assert verify(RECEIPT_LABEL, statement, signature, PUBLIC)


def test_the_root_of_the_published_certificate_transparency_vector() -> None:
    """The eight-leaf tree of the certificate-transparency project's own tests (merkle_tree_test.cc)."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    root = reference_root([bytes.fromhex(leaf) for leaf in leaves])
    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_same_group_has_the_same_signatures() -> None:
    assert sign_statements(KEY, ENVELOPE_LABEL, statements(5)) == sign_statements(KEY, ENVELOPE_LABEL, statements(5))


def test_the_largest_group_verifies_and_a_larger_one_is_our_own_mistake() -> None:
    many = statements(4_096)
    signed = sign_statements(KEY, RECEIPT_LABEL, many)
    assert all(verify(RECEIPT_LABEL, many[index], signed[index], PUBLIC) for index in (0, 1, 2_047, 4_095))
    for wrong in ([], statements(4_097)):
        with pytest.raises(AssertionError):
            sign_statements(KEY, RECEIPT_LABEL, wrong)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_another_statement_label_or_key_does_not_verify(count: int) -> None:
    signature = sign_statements(KEY, RECEIPT_LABEL, statements(count))[-1]
    statement = statements(count)[-1]
    assert verify(RECEIPT_LABEL, statement, signature, PUBLIC)
    assert not verify(RECEIPT_LABEL, statement + b".", signature, PUBLIC)
    assert not verify(ENVELOPE_LABEL, statement, signature, PUBLIC)
    assert not verify(RECEIPT_LABEL, statement, signature, OTHER_PUBLIC)
    assert not verify(RECEIPT_LABEL, statement, signature, PUBLIC[:-1])
    renamed = dataclasses.replace(signature, key_id=hashlib.sha256(OTHER_PUBLIC).digest())
    assert not verify(RECEIPT_LABEL, statement, renamed, PUBLIC)
    assert not verify(RECEIPT_LABEL, statement, renamed, OTHER_PUBLIC)


@pytest.mark.parametrize("count", [2, 3, 7, 64, 70])
def test_another_position_size_or_path_does_not_verify(count: int) -> None:
    for index, (statement, good) in enumerate(
        zip(statements(count), sign_statements(KEY, RECEIPT_LABEL, statements(count)), strict=True)
    ):
        wrong = [dataclasses.replace(good, leaf_index=other) for other in range(-1, count + 2) if other != index]
        wrong += [dataclasses.replace(good, tree_size=other) for other in range(-1, count + 70) if other != count]
        wrong += [dataclasses.replace(good, path=path) for path in altered_paths(good.path)]
        wrong += [dataclasses.replace(good, root_signature=octets) for octets in altered_octets(good.root_signature)]
        assert not any(verify(RECEIPT_LABEL, statement, signature, PUBLIC) for signature in wrong)


def altered_paths(path: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    longer = [(*path, path[-1]), (path[0], *path), (*path, bytes(32)), (*path, b"")]
    shorter = [path[:-1], path[1:]]
    changed = [(bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:]), (path[0] + b"\0", *path[1:])]
    turned = [path[::-1]] if path[::-1] != path else []
    return [*longer, *shorter, *changed, *turned]


def altered_octets(octets: bytes) -> list[bytes]:
    same_point = octets[:32] + (int.from_bytes(octets[32:], "little") + ORDER).to_bytes(32, "little")
    return [b"", octets[:-1], octets + b"\0", bytes([octets[0] ^ 1]) + octets[1:], same_point]


def test_an_inner_node_of_the_tree_cannot_be_passed_off_as_a_statement() -> None:
    first, second, *_ = sign_statements(KEY, RECEIPT_LABEL, statements(4))
    inner = second.path[0] + first.path[0]
    shorter = Signature(first.key_id, first.root_signature, 0, 2, first.path[1:])
    for label in (RECEIPT_LABEL, b""):
        assert not verify(label, inner, shorter, PUBLIC)


def test_statements_of_two_signings_cannot_be_mixed() -> None:
    one = sign_statements(KEY, RECEIPT_LABEL, [b"a", b"b"])
    two = sign_statements(KEY, RECEIPT_LABEL, [b"c", b"d"])
    mixed = dataclasses.replace(one[0], root_signature=two[0].root_signature)
    assert not verify(RECEIPT_LABEL, b"a", mixed, PUBLIC)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
def test_any_statements_verify_where_they_stand_and_nowhere_else(group: list[bytes], data: st.DataObject) -> None:
    signed = sign_statements(KEY, ENVELOPE_LABEL, group)
    here = data.draw(st.integers(0, len(group) - 1))
    there = data.draw(st.integers(0, len(group) - 1))
    assert verify(ENVELOPE_LABEL, group[there], signed[here], PUBLIC) == (group[there] == group[here])


def test_statements_signed_together_cost_one_verification() -> None:
    group = statements(64)
    signed = sign_statements(KEY, RECEIPT_LABEL, group)
    room._root_is_signed.cache_clear()
    assert all(verify(RECEIPT_LABEL, *pair, PUBLIC) for pair in zip(group, signed, strict=True))
    info = room._root_is_signed.cache_info()
    assert (info.misses, info.hits, info.maxsize) == (1, 63, room.ROOTS_REMEMBERED)


def test_forged_signatures_leave_no_trace_in_the_cache() -> None:
    good = sign_statements(KEY, RECEIPT_LABEL, [b"a"])[0]
    room._root_is_signed.cache_clear()
    forged = dataclasses.replace(good, root_signature=bytes(64))
    assert not verify(RECEIPT_LABEL, b"a", forged, PUBLIC)
    assert not verify(RECEIPT_LABEL, b"a", forged, PUBLIC)
    assert room._root_is_signed.cache_info().currsize == 0


def entry(*signing_keys: PublicKey) -> NodeEntry:
    return NodeEntry("tinh-h49", "Tỉnh", "", (), (), signing_keys, signing_keys)


def test_a_node_signs_with_the_keys_that_the_directory_gives_it_while_they_are_valid() -> None:
    signature = sign_statements(KEY, RECEIPT_LABEL, [b"a"])[0]
    node = entry(PublicKey(OTHER_PUBLIC, 1), PublicKey(PUBLIC, 1, valid_from_ms=100, valid_to_ms=200))
    assert [verify_by(node, RECEIPT_LABEL, b"a", signature, (at_ms,)) for at_ms in (99, 100, 200, 201)] == [
        False,
        True,
        True,
        False,
    ]
    assert verify_by(entry(PublicKey(PUBLIC, 1)), RECEIPT_LABEL, b"a", signature, (10**15,))
    assert not verify_by(entry(PublicKey(OTHER_PUBLIC, 1)), RECEIPT_LABEL, b"a", signature, (100,))
    assert not verify_by(entry(PublicKey(PUBLIC, 2)), RECEIPT_LABEL, b"a", signature, (100,))
    assert not verify_by(entry(), RECEIPT_LABEL, b"a", signature, (100,))


def test_bodies_are_sealed_with_the_first_key_that_is_valid() -> None:
    node = entry(
        PublicKey(PUBLIC, 2), PublicKey(OTHER_PUBLIC, 1, valid_from_ms=100, valid_to_ms=200), PublicKey(PUBLIC, 1)
    )
    assert [sealing_key_of(node, at_ms) for at_ms in (99, 150, 201)] == [PUBLIC, OTHER_PUBLIC, PUBLIC]
    assert sealing_key_of(entry(), 100) is None
