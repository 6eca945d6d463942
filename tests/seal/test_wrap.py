"""Key wraps: cheap for many, and each opens for one node, one envelope and nobody else."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.errors import Denied
from node.model.envelope import KeyWrap
from node.model.reason import Reason
from node.seal import wrap as room
from node.seal.keyring import Keyring, create_keys, load_keys
from node.seal.wrap import NONCE_BYTES, Wrapper
from tests.clocks import SetClock

CONTENT_KEY, ENVELOPE, OTHER_ENVELOPE = b"c" * 32, b"e" * 32, b"f" * 32


class CountingKeys:
    """The port Keys over a real keyring, counting what is dear."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring, self.node_id, self.sign = keyring, keyring.node_id, keyring.sign
        self.public = keyring.public_keys().sealing[0]
        self.encapsulations = self.decapsulations = 0

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        self.encapsulations += 1
        return self.keyring.encapsulate(public_key)

    def decapsulate(self, key_id: bytes, encapsulation: bytes) -> bytes:
        self.decapsulations += 1
        return self.keyring.decapsulate(key_id, encapsulation)


def keys_of(folder: Path, node_id: str) -> CountingKeys:
    create_keys(folder / node_id, None)
    return CountingKeys(load_keys(folder / node_id, node_id, None))


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ministry(tmp_path: Path) -> CountingKeys:
    return keys_of(tmp_path, "bo-noi-vu")


@pytest.fixture
def province(tmp_path: Path) -> CountingKeys:
    return keys_of(tmp_path, "tinh-h49")


def test_a_wrapped_key_opens_at_its_node(ministry: CountingKeys, province: CountingKeys, clock: SetClock) -> None:
    wrap = Wrapper(ministry, clock.now_ms).wrap(CONTENT_KEY, "tinh-h49", province.public, ENVELOPE)
    assert Wrapper(province, clock.now_ms).unwrap(wrap, ENVELOPE) == CONTENT_KEY
    assert CONTENT_KEY not in wrap.encapsulation + wrap.wrapped_key


def test_a_node_wraps_for_itself_and_opens_it_after_a_restart(ministry: CountingKeys, clock: SetClock) -> None:
    wrap = Wrapper(ministry, clock.now_ms).wrap(CONTENT_KEY, "bo-noi-vu", ministry.public, ENVELOPE)
    assert Wrapper(ministry, clock.now_ms).unwrap(wrap, ENVELOPE) == CONTENT_KEY


def test_many_wraps_share_an_encapsulation_and_never_a_nonce(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock
) -> None:
    wrapper, opener = Wrapper(ministry, clock.now_ms), Wrapper(province, clock.now_ms)
    wraps = [wrapper.wrap(bytes([n]) * 32, "tinh-h49", province.public, ENVELOPE) for n in range(100)]
    assert [opener.unwrap(wrap, ENVELOPE)[0] for wrap in wraps] == list(range(100))
    assert (ministry.encapsulations, province.decapsulations) == (1, 1)
    assert len({wrap.wrapped_key[:NONCE_BYTES] for wrap in wraps}) == 100


def test_threads_that_wrap_at_once_never_share_a_nonce(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock
) -> None:
    wrapper = Wrapper(ministry, clock.now_ms, uses_max=100)
    with ThreadPoolExecutor(8) as pool:
        wraps = list(pool.map(lambda _: wrapper.wrap(CONTENT_KEY, "n", province.public, ENVELOPE), range(1_000)))
    assert len({(wrap.encapsulation, wrap.wrapped_key[:NONCE_BYTES]) for wrap in wraps}) == 1_000
    assert ministry.encapsulations == 10


def test_every_recipient_key_has_an_encapsulation_of_its_own(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock
) -> None:
    wrapper = Wrapper(ministry, clock.now_ms)
    one = wrapper.wrap(CONTENT_KEY, "tinh-h49", province.public, ENVELOPE)
    two = wrapper.wrap(CONTENT_KEY, "bo-noi-vu", ministry.public, ENVELOPE)
    assert one.encapsulation != two.encapsulation
    assert one.key_id != two.key_id


def test_an_encapsulation_is_renewed_after_its_uses_and_after_its_time(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock
) -> None:
    wrapper = Wrapper(ministry, clock.now_ms, uses_max=3, age_max_ms=1_000)
    encapsulations = []
    for _ in range(4):
        encapsulations.append(wrapper.wrap(CONTENT_KEY, "n", province.public, ENVELOPE).encapsulation)
    for step_ms in (999, 1, -500):  # still good; over; the clock jumped back
        clock.at_ms += step_ms
        encapsulations.append(wrapper.wrap(CONTENT_KEY, "n", province.public, ENVELOPE).encapsulation)
    first, *_, fourth, fifth, sixth, seventh = encapsulations
    assert encapsulations[:3] == [first] * 3
    assert fourth == fifth
    assert len({first, fourth, sixth, seventh}) == 4


def altered(wrap: KeyWrap) -> list[KeyWrap]:
    def flip(octets: bytes, place: int) -> bytes:
        return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]

    return [
        *(dataclasses.replace(wrap, wrapped_key=flip(wrap.wrapped_key, place)) for place in (0, 11, 12, 44, 59)),
        *(
            dataclasses.replace(wrap, wrapped_key=octets)
            for octets in (b"", wrap.wrapped_key[:-1], wrap.wrapped_key * 2)
        ),
        *(dataclasses.replace(wrap, encapsulation=flip(wrap.encapsulation, place)) for place in (0, 40, 79)),
        *(dataclasses.replace(wrap, encapsulation=octets) for octets in (b"", bytes(80), wrap.encapsulation[:-1])),
        dataclasses.replace(wrap, key_id=b"k" * 32),
        dataclasses.replace(wrap, node_id="bo-noi-vu"),
        dataclasses.replace(wrap, node_id=""),
    ]


def test_an_altered_wrap_or_one_for_another_envelope_does_not_open(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock
) -> None:
    wrap = Wrapper(ministry, clock.now_ms).wrap(CONTENT_KEY, "tinh-h49", province.public, ENVELOPE)
    opener = Wrapper(province, clock.now_ms)
    for wrong, envelope in [(wrap, OTHER_ENVELOPE), *((wrong, ENVELOPE) for wrong in altered(wrap))]:
        with pytest.raises(Denied) as denied:
            opener.unwrap(wrong, envelope)
        assert denied.value.reason is Reason.BODY_UNREADABLE
    assert opener.unwrap(wrap, ENVELOPE) == CONTENT_KEY


def test_a_wrap_relabelled_for_the_node_that_can_open_its_encapsulation_does_not_open(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock
) -> None:
    wrap = Wrapper(ministry, clock.now_ms).wrap(CONTENT_KEY, "another-node", province.public, ENVELOPE)
    with pytest.raises(Denied):
        Wrapper(province, clock.now_ms).unwrap(dataclasses.replace(wrap, node_id="tinh-h49"), ENVELOPE)


def test_a_relay_cannot_open_what_it_carries(ministry: CountingKeys, province: CountingKeys, tmp_path: Path) -> None:
    clock, relay = SetClock(), keys_of(tmp_path, "truc-trung-uong")
    wrap = Wrapper(ministry, clock.now_ms).wrap(CONTENT_KEY, "tinh-h49", province.public, ENVELOPE)
    relabelled = dataclasses.replace(
        wrap,
        node_id="truc-trung-uong",
        key_id=Wrapper(relay, clock.now_ms).wrap(CONTENT_KEY, "x", relay.public, ENVELOPE).key_id,
    )
    for attempt in (wrap, relabelled):
        with pytest.raises(Denied):
            Wrapper(relay, clock.now_ms).unwrap(attempt, ENVELOPE)


def test_what_is_remembered_is_bounded(
    ministry: CountingKeys, province: CountingKeys, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "REMEMBERED_MAX", 2)
    wrapper = Wrapper(ministry, clock.now_ms, uses_max=1)
    opener = Wrapper(province, clock.now_ms)
    recent = [wrapper.wrap(CONTENT_KEY, "tinh-h49", province.public, ENVELOPE) for _ in range(3)]
    for wrap in [*recent, recent[2], recent[1], recent[0]]:
        assert opener.unwrap(wrap, ENVELOPE) == CONTENT_KEY
    assert province.decapsulations == 4
    shared = Wrapper(ministry, clock.now_ms)
    third = X25519PrivateKey.generate().public_key().public_bytes_raw()
    for public_key in (province.public, ministry.public, third, third, ministry.public, province.public):
        shared.wrap(CONTENT_KEY, "n", public_key, ENVELOPE)
    assert ministry.encapsulations == 3 + 4
