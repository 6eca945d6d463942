"""Certificates in the directory: whether they can be used, and that none stands in another node's way.

Reading certificates is not this room's work. Whoever puts a node or an authority together gives it a judge (node/net/tls_trial.py):
a strict profile, and a trial by the TLS that will use them.

TLS looks for what issued a certificate (for one signed by itself: that one) by the issuer's name, takes the first that may be it and
looks no further. A node that gave its certificate the name of another's issuer, and no key identifier, would lock that node out
everywhere. So no certificate may pass for the issuer of another node's; who was known first stays.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from node.model.directory import CertificateNames


class Certificates(Protocol):
    """Judges certificates (DER)."""

    def faults(self, certificates: Collection[bytes]) -> Mapping[bytes, str]:
        """Return what is wrong with each of those that cannot be used, in words. Blocks. Raises Broken(IO_FAILED): cannot tell now."""
        ...

    def names(self, der: bytes) -> CertificateNames:
        """Return how TLS looks up a certificate that has no fault."""
        ...


class Unjudged:
    """Takes any octets: for whoever reads an edition that was judged before, and for tests of other things."""

    def faults(self, certificates: Collection[bytes]) -> Mapping[bytes, str]:
        """Return nothing."""
        return {}

    def names(self, der: bytes) -> CertificateNames:
        """Return names that no other octets have."""
        return CertificateNames(der.hex(), "", der.hex(), "")


UNJUDGED = Unjudged()

_Held = tuple[str, CertificateNames]


@dataclass(slots=True)
class Holders:
    """Whose each certificate is, and by which names they are looked up."""

    certificates: Certificates
    _ders: dict[bytes, str] = field(default_factory=dict)
    _by_subject: dict[str, list[_Held]] = field(default_factory=dict)
    _by_issuer: dict[str, list[_Held]] = field(default_factory=dict)

    def take(self, node_id: str, ders: Iterable[bytes]) -> None:
        """Note that a node has these certificates, which have no fault. One that is another's already stays that one's."""
        for der in ders:
            if der not in self._ders:
                names = self.certificates.names(der)
                self._ders[der] = node_id
                self._by_subject.setdefault(names.subject, []).append((node_id, names))
                self._by_issuer.setdefault(names.issuer, []).append((node_id, names))

    def conflict(self, node_id: str, ders: Iterable[bytes]) -> str:
        """Return in words whose way one of these certificates would stand in; "" if nobody's. They have no fault."""
        for der in ders:
            holder = self._ders.get(der, node_id)
            if holder != node_id:
                return f"uses the TLS certificate of {holder}"
            mine = self.certificates.names(der)
            harmed = [
                other for other, names in self._by_issuer.get(mine.subject, []) if mine.may_pass_for_issuer_of(names)
            ]
            harming = [
                other for other, names in self._by_subject.get(mine.issuer, []) if names.may_pass_for_issuer_of(mine)
            ]
            others = {*harmed, *harming} - {node_id}
            if others:
                return f"has a TLS certificate that goes by a name of {min(others)}; its subject should be the node's own id"
        return ""
