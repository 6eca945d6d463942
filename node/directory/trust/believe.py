"""Belief: our own rules over what TUF let through, what is believed of each node and what is kept of it from before.

TUF proves who signed; rules.py says what makes sense. Each file is decided on alone: a province whose new zone is malformed keeps
its former one, and everybody else gets the update. Each such case is a finding, in words, naming the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from node.directory.certificates import Certificates, Holders
from node.directory.grant import Grant, all_prefixes, longer_prefixes
from node.directory.layout import FILE_BYTES_MAX, node_target, target_path, zone_target
from node.directory.rules import (
    certificates_in,
    check_node_file,
    check_zone_file,
    count_cut_off,
    refuse,
)
from node.directory.trust.edition import Edition, FormerUse, Index, NodeUse, ZoneUse, digest
from node.directory.trust.verify import Offered, Verified
from node.directory.tufapi import TargetFile
from node.errors import Broken
from node.model.code import Code

STRANGE_TOLD_MAX = 5


@dataclass(slots=True)
class _Judgement:
    """Work in hand: what came in, and what is believed so far."""

    verified: Verified
    offered: Offered
    before: Edition | None
    prefixes: list[Code]
    files: dict[str, bytes]
    holders: Holders
    faults: Mapping[bytes, str] = field(default_factory=dict)
    nodes: dict[str, NodeUse] = field(default_factory=dict)
    zones: dict[str, ZoneUse] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def judge(
    verified: Verified, offered: Offered, before: Edition | None, certificates: Certificates
) -> tuple[Index, dict[str, bytes]]:
    """Decide what is believed; return the new edition's index and files by path.

    Raises Broken(DIRECTORY_INVALID) if a file is not the one its signed metadata describes (that is TUF's rule, not ours), and
    Broken(IO_FAILED) if certificates cannot be judged now.
    """
    holders = Holders(certificates)
    work = _Judgement(verified, offered, before, all_prefixes(verified.grants), dict(verified.metadata), holders)
    candidates = {grant.node_id: list(_node_candidates(work, grant)) for grant in verified.grants}
    known = _known_certificates(verified.grants, before)
    # All at once: the usual case is that nothing is wrong, which one trial tells.
    work.faults = certificates.faults(
        [*_all_certificates(candidates), *(der for ders in known.values() for der in ders)]
    )
    for node_id, ders in known.items():
        holders.take(node_id, [der for der in ders if der not in work.faults])
    for grant in sorted(verified.grants, key=lambda one: not _goes_by_its_id(work, one, candidates[one.node_id])):
        _judge_node(work, grant, candidates[grant.node_id])
        for prefix in grant.prefixes:
            _judge_zone(work, grant, prefix)
    digests = {path: digest(data) for path, data in work.files.items()}
    former = [
        FormerUse(one.prefix.text, one.node_id, one.from_ms, one.until_ms)
        for grant in verified.grants
        for one in grant.former
    ]
    index = Index(verified.version, verified.signed_time_ms, digests, work.nodes, work.zones, work.findings, former)
    return index, work.files


def _goes_by_its_id(work: _Judgement, grant: Grant, candidates: list[tuple[str, bytes]]) -> bool:
    """Tell whether a node's certificates carry its own id: such a node is believed before one that goes by another's name.

    Nodes that knew both before go by that; for a newcomer the order of admission alone would let the older one take the younger one's name.
    """
    ders = [der for _, data in candidates[:1] for der in certificates_in(data) if der not in work.faults]
    return bool(ders) and all(work.holders.certificates.names(der).is_own_of(grant.node_id) for der in ders)


def _known_certificates(grants: list[Grant], before: Edition | None) -> dict[str, list[bytes]]:
    """Return which certificates each node had before: nobody takes one over by publishing it too."""
    known = before.index.nodes if before else {}
    return {
        grant.node_id: certificates_in(before.read(known[grant.node_id].file))
        for grant in grants
        if before is not None and grant.node_id in known
    }


def _all_certificates(candidates: Mapping[str, list[tuple[str, bytes]]]) -> Iterator[bytes]:
    for found in candidates.values():
        for _, data in found:
            yield from certificates_in(data)


def _node_candidates(work: _Judgement, grant: Grant) -> Iterator[tuple[str, bytes]]:
    was = work.before.index.nodes.get(grant.node_id) if work.before else None
    return _candidates(work, grant, node_target(grant.node_id), was.file if was else "")


def _judge_node(work: _Judgement, grant: Grant, candidates: list[tuple[str, bytes]]) -> None:
    """Believe a node's file, or the former one, or leave the node out."""
    target = node_target(grant.node_id)
    role = work.verified.roles.get(grant.node_id)
    if role is None:
        work.findings.append(f"{target}: the signature of {grant.node_id} has run out; it must sign its zone again")
    for strange in sorted(set(role.targets if role else ()) - set(grant.targets()))[:STRANGE_TOLD_MAX]:
        work.findings.append(f"{strange}: signed by {grant.node_id}, to whom it is not granted; ignored")
    for path, data in candidates:
        if _node_is_good(work, grant.node_id, data):
            work.files[path] = data
            leaves = {leaf.text: grant.since.get(leaf, 0) for leaf in grant.leaves}
            work.nodes[grant.node_id] = NodeUse(path, sorted(grant.roles), leaves)
            return
    work.findings.append(f"{target}: nothing valid is known; the node is left out")


def _judge_zone(work: _Judgement, grant: Grant, prefix: Code) -> None:
    """Believe a zone's file, or the former one of the same node, or list no units."""
    target, longer = zone_target(prefix), longer_prefixes(work.prefixes, prefix)
    role = work.verified.roles.get(grant.node_id)
    was = work.before.index.zones.get(prefix.text) if work.before else None
    if was is not None and was.node_id != grant.node_id:
        was = None
    since_ms = grant.since.get(prefix, 0)
    work.zones[prefix.text] = ZoneUse("", grant.node_id, 0, sorted(longer), since_ms)
    # A node that has signed no file for its prefix lists nothing there now: the former file is for faults, not for this.
    if role is not None and target not in role.targets:
        return
    for path, data in _candidates(work, grant, target, was.file if was else ""):
        units = _units_if_good(work, path, data, ZoneUse(path, grant.node_id, 0, sorted(longer)), prefix)
        if units is not None:
            work.files[path] = data
            work.zones[prefix.text] = ZoneUse(path, grant.node_id, units, sorted(longer), since_ms)
            return


def _candidates(work: _Judgement, grant: Grant, target: str, former: str) -> Iterator[tuple[str, bytes]]:
    """Yield what may be believed of one target, the best first: the new file, then the former one, with the paths they get."""
    role = work.verified.roles.get(grant.node_id)
    info = role.targets.get(target) if role else None
    if info is not None:
        if info.length > FILE_BYTES_MAX:
            work.findings.append(f"{target}: {info.length} octets, at most {FILE_BYTES_MAX}")
        else:
            data = _fetch(work, target_path(target), info)
            # Served to others whatever we think of it: the node has signed it, and they decide for themselves.
            work.files[target_path(target)] = data
            yield target_path(target), data
    if former and work.before is not None:
        yield f"kept/{target}", work.before.read(former)


def _fetch(work: _Judgement, path: str, info: TargetFile) -> bytes:
    """Return a target's file: ours if it is still the same, else the offered one."""
    if work.before is not None and work.before.index.files.get(path) == info.hashes.get("sha256"):
        return work.before.read(path)
    return work.offered.target(path, info)


def _node_is_good(work: _Judgement, node_id: str, data: bytes) -> bool:
    """Check a node's file; what is wrong becomes a finding."""
    where = node_target(node_id)
    try:
        ders = list(check_node_file(data, node_id).tls_certificates)
        for number, der in enumerate(ders, 1):
            if der in work.faults:
                refuse(where, f"certificate {number} of {len(ders)}: {work.faults[der]}")
        if conflict := work.holders.conflict(node_id, ders):
            refuse(where, conflict)
    except Broken as fault:
        work.findings.append(fault.detail)
        return False
    work.holders.take(node_id, ders)
    return True


def _units_if_good(work: _Judgement, path: str, data: bytes, use: ZoneUse, prefix: Code) -> int | None:
    """Check a zone's file and count its units; a fault becomes a finding and None.

    A file that was believed before, under the same longer prefixes, is not parsed again: most updates change one zone of many.
    """
    if work.before is not None:
        was = work.before.index.zones.get(prefix.text)
        same = was is not None and (was.file, was.node_id, was.longer) == (path, use.node_id, use.longer)
        if was is not None and same and work.before.index.files[path] == digest(data):
            work.findings += [one for one in work.before.index.findings if one.startswith(f"zones/{prefix}: hides")]
            return was.units
    try:
        file = check_zone_file(data, prefix, use.node_id)
    except Broken as fault:
        work.findings.append(fault.detail)
        return None
    longer = frozenset(use.longer)
    hidden, hidden_aliases = count_cut_off(file.units, longer), count_cut_off(file.aliases, longer)
    for what in [f"{hidden} units"] * bool(hidden) + [f"{hidden_aliases} aliases"] * bool(hidden_aliases):
        work.findings.append(f"zones/{prefix}: hides {what} under longer prefixes that have zones of their own")
    return len(file.units) - hidden
