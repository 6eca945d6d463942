"""Authority (cơ quan vận hành danh bạ): admits nodes, takes their zones, publishes the directory. It is a folder, not a server.

    keys/      root-*.pem, targets-*.pem, online-*.pem; mode 0600
    draft/     decided, not yet published
    public/    metadata/ and targets/: what everybody may fetch, serve to others or carry on a USB stick

Keep root offline: after `create`, move keys/root-*.pem to a safe (with a threshold above one, each to another person). They are
needed again only for `replace_online_key`. keys/targets-*.pem is needed to admit, grant and revoke, so it may live on the
administrator's own stick; day by day, `take`, `publish` and `refresh` need only keys/online-*.pem.
"""

import os
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from node.directory.authority.canary import check_edition, check_signatures
from node.directory.authority.consent import check_consents
from node.directory.authority.draft import Draft
from node.directory.authority.publish import Try, publish, published_role_version, refresh, version_of_role
from node.directory.authority.summary import Summary, summarise
from node.directory.certificates import UNJUDGED, Certificates, Holders
from node.directory.delegation import delegate, grants_of, key_of_node, withdraw
from node.directory.files import disk_faults, sync_folder
from node.directory.grant import Grant, all_prefixes, following, holder_of
from node.directory.layout import (
    LEAVES_PER_NODE_MAX,
    ROOT,
    TARGETS,
    TARGETS_DAYS,
    node_target,
    role_path,
    root_path,
    target_path,
)
from node.directory.root import first_root, read_root, root_fingerprint, root_name, with_online_key
from node.directory.rules import certificates_in, refuse
from node.directory.signing import create_key, expires, open_signer, signed
from node.directory.tufapi import CryptoSigner, Key, Metadata, Root, SSlibKey, Targets
from node.directory.zone.zonefiles import SignedZone, check_signed_zone, read_join, read_update
from node.errors import Broken, Denied, Rejected
from node.model.code import Code
from node.model.directory import Role
from node.model.reason import Reason
from node.wire.truc.v1 import directory_pb2 as pb


class Authority:
    """One authority's folder. Every verb is whole or changes nothing; nobody sees anything of it before `publish`.

    All verbs raise Broken(DIRECTORY_INVALID) naming the file when what they are given is wrong, KEY_FILE_MISSING,
    KEY_FILE_EXPOSED or KEY_UNUSABLE for keys, HOME_IN_USE, IO_FAILED, or Deferred(DISK_FULL).
    """

    def __init__(self, folder: Path, certificates: Certificates | None = None) -> None:
        """Use `create` or `open`."""
        self._folder = folder
        self._judge = certificates
        self._certificates = certificates or UNJUDGED
        self._draft = Draft(folder)

    @classmethod
    def create(
        cls, folder: Path, name: str, now_ms: int, *, root_keys: int = 1, root_threshold: int = 1
    ) -> "Authority":
        """Make an authority with new keys and publish its first, empty directory. Raises Broken(ALREADY_EXISTS)."""
        if folder.exists() and any(folder.iterdir()):
            raise Broken(Reason.ALREADY_EXISTS, str(folder))
        # Made aside and renamed, so that a creation that breaks off leaves nothing that `open` would take for an authority.
        with disk_faults(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
                part = Path(scratch) / "authority"
                part.mkdir()
                cls(part)._begin(name, now_ms, root_keys, root_threshold)
                os.rename(part, folder)
            sync_folder(folder.parent)
        return cls(folder)

    @classmethod
    def open(cls, folder: Path, certificates: Certificates | None = None) -> "Authority":
        """Open an authority's folder; `certificates` judges those of the nodes, and what is published is tried with it before.

        None: neither (for verbs that do not need it, and tests of careless authorities). Raises Broken(HOME_MISSING) if there is none.
        """
        if not (folder / "public" / ROOT).exists():
            raise Broken(Reason.HOME_MISSING, f"{folder} holds no authority")
        return cls(folder, certificates)

    @property
    def public(self) -> Path:
        """The folder that everybody may have."""
        return self._draft.public

    def root_json(self) -> bytes:
        """Return the first root: what a node is given to trust (by a safe way, or comparing `fingerprint`)."""
        return self._draft.need(root_path(1))

    def fingerprint(self) -> str:
        """Return the fingerprint of the root keys, as `root_fingerprint` shows it at the node."""
        return root_fingerprint(self.root_json())

    def admit(self, join_request: bytes, prefixes: list[Code] | None, roles: set[Role], now_ms: int) -> None:
        """Admit a node, or admit it again with the same key and other prefixes. `prefixes` None: as requested.

        Opaque codes among them are granted as such, and added to those that it has. Raises Rejected(CODE_MALFORMED) for a code that is
        granted to nobody (model/code.py), Denied(PEER_SPEAKS_FOR_OTHERS) naming the holder if a prefix is already granted to another node.
        """
        join = read_join(join_request)
        with self._draft.locked():
            targets, grants = self._targets()
            if any(grant.node_id == join.node_id for grant in grants):
                if key_of_node(targets, join.node_id).keyid != join.key.keyid:
                    refuse(join.node_id, "is admitted with another zone key; revoke it first")
            elif join.key.keyid in (targets.delegations.keys if targets.delegations else {}):
                refuse(join.node_id, "uses the zone key of another node")
            wanted = [*join.prefixes, *join.leaves] if prefixes is None else prefixes
            others, before = _without(grants, join.node_id), _grant_of(grants, join.node_id)
            grant = _granted(join.node_id, wanted, roles, before, now_ms)
            check_consents(join.consents, grant, others, targets, now_ms)
            _check_free(grant, others)
            zone = check_signed_zone(join.files, grant, join.key, all_prefixes([*others, grant]), now_ms)
            self._accept(zone, grant, others)
            self._delegate(targets, grant, join.key, now_ms)

    def grant(self, node_id: str, prefixes: list[Code], roles: set[Role], now_ms: int) -> None:
        """Change what an admitted node is granted; its files stay (those of a prefix taken away are no longer believed)."""
        with self._draft.locked():
            targets, grants = self._targets()
            key = _key_of(targets, grants, node_id)
            grant = _granted(node_id, prefixes, roles, _grant_of(grants, node_id), now_ms)
            _check_free(grant, _without(grants, node_id))
            self._delegate(targets, grant, key, now_ms)

    def change_leaves(
        self, node_id: str, now_ms: int, *, add: Collection[Code] = (), remove: Collection[Code] = ()
    ) -> None:
        """Let an admitted node serve more opaque codes, or fewer (model/code.py: parse_leaf); its prefixes and roles stay.

        Raises Rejected(NOT_FOUND) for one to remove that it does not have.
        """
        with self._draft.locked():
            targets, grants = self._targets()
            key, before = _key_of(targets, grants, node_id), _grant_of(grants, node_id)
            assert before is not None
            if strange := sorted(set(remove) - set(before.leaves)):
                raise Rejected(Reason.NOT_FOUND, f"{strange[0]} is not granted to {node_id}")
            leaves = (set(before.leaves) | set(add)) - set(remove)
            if len(leaves) > LEAVES_PER_NODE_MAX:
                refuse(node_id, f"would have {len(leaves)} opaque codes, at most {LEAVES_PER_NODE_MAX}")
            grant = following(replace(before, leaves=tuple(sorted(leaves))), before, now_ms)
            _check_free(grant, _without(grants, node_id))
            self._delegate(targets, grant, key, now_ms)

    def take(self, zone_update: bytes, now_ms: int) -> str:
        """Take a node's new zone; return its id. The same update again changes nothing.

        Raises Broken(DIRECTORY_ROLLED_BACK) if its version is not above the one taken before.
        """
        node_id, files = read_update(zone_update)
        with self._draft.locked():
            targets, grants = self._targets()
            key = _key_of(targets, grants, node_id)
            grant = next(grant for grant in grants if grant.node_id == node_id)
            zone = check_signed_zone(files, grant, key, all_prefixes(grants), now_ms)
            self._accept(zone, grant, _without(grants, node_id))
        return node_id

    def revoke(self, node_id: str, now_ms: int) -> None:
        """Take a node out of the directory, with all its prefixes."""
        with self._draft.locked():
            targets, grants = self._targets()
            _key_of(targets, grants, node_id)
            withdraw(targets, node_id)
            self._write_targets(targets, now_ms)

    def renew(self, now_ms: int) -> None:
        """Sign `targets` again, unchanged, so that it does not run out (layout.TARGETS_DAYS)."""
        with self._draft.locked():
            self._write_targets(self._targets()[0], now_ms)

    def publish(self, now_ms: int) -> int:
        """Publish everything decided; return the directory's new version. Without changes: a fresh timestamp.

        Raises Broken(DIRECTORY_INVALID), with nothing published, for what a node would not believe or could not use (canary.py).
        """
        with self._draft.locked():
            return publish(self._draft, self._targets()[1], self._online(self._root()), now_ms, self._canary(now_ms))

    def refresh(self, now_ms: int) -> int:
        """Give what is published a fresh timestamp and return the directory's new version; nobody sees what is only decided.

        It is called every day, by a timer: nodes warn of a directory that is older than a day (trust/freshness.py).
        """
        with self._draft.locked():
            root = self._draft.published(root_path(1))

            def attempt(edition: Path) -> None:
                check_signatures(edition, root, now_ms)

            return refresh(self._draft, self._online(read_root(self._draft.published(ROOT))), now_ms, attempt)

    def replace_online_key(self, now_ms: int) -> None:
        """Exchange the online key (lost, or in wrong hands); publish afterwards.

        Raises Broken(KEY_FILE_MISSING) unless a threshold of root keys is in keys/.
        """
        with self._draft.locked():
            root = self._root()
            following = with_online_key(root, self._new_key("online"), now_ms)
            role = root.roles["root"]
            signers = [self._signer("root", root, keyid) for keyid in role.keyids if self._has_key("root", keyid)]
            if len(signers) < role.threshold:
                raise Broken(Reason.KEY_FILE_MISSING, f"{len(signers)} of {role.threshold} root keys are in keys/")
            self._write_root(following, signers)

    def summary(self) -> Summary:
        """Return what the authority has decided and published, for people."""
        root = self._draft.need(ROOT)
        return summarise(self._draft, root_name(root), self.fingerprint(), *self._targets())

    def _canary(self, now_ms: int) -> Try:
        """Return what loads an edition as a node does before it is published."""
        judge = self._judge

        def attempt(edition: Path) -> None:
            if judge is not None:
                check_edition(edition, self.public, self.root_json(), judge, now_ms)

        return attempt

    def _begin(self, name: str, now_ms: int, root_keys: int, root_threshold: int) -> None:
        keys = [self._new_key("root") for _ in range(root_keys)]
        targets, online = self._new_key("targets"), self._new_key("online")
        root = first_root(name, keys, root_threshold, targets, online, now_ms)
        self._write_root(root, [self._signer("root", root, key.keyid) for key in keys])
        self._draft.write(TARGETS, self._sign_targets(Targets(expires=expires(now_ms, TARGETS_DAYS)), root))
        self.publish(now_ms)

    def _accept(self, zone: SignedZone, grant: Grant, others: list[Grant]) -> None:
        """Put a verified zone into the draft."""
        path = role_path(grant.node_id)
        before = self._draft.read(path)
        if before == zone.files[path]:
            return
        taken = version_of_role(before) if before is not None else published_role_version(self._draft, grant.node_id)
        if zone.version <= taken:
            raise Broken(
                Reason.DIRECTORY_ROLLED_BACK, f"{path}: version {zone.version} is not above {taken}, taken before"
            )
        self._check_certificates(zone.node, others)
        for name, data in zone.files.items():
            self._draft.write(name, data)

    def _check_certificates(self, node: pb.NodeFile, others: list[Grant]) -> None:
        """Refuse what no node could use, and what would stand in another node's way: a certificate says who is calling."""
        where = node_target(node.node_id)
        for fault in self._certificates.faults(node.tls_certificates).values():
            refuse(where, fault)
        holders = Holders(self._certificates)
        for other in others:
            data = self._draft.need(target_path(node_target(other.node_id)))
            theirs = certificates_in(data)  # whatever else may be wrong with it: that is not the newcomer's fault
            faulty = self._certificates.faults(theirs)
            holders.take(other.node_id, [der for der in theirs if der not in faulty])
        if conflict := holders.conflict(node.node_id, node.tls_certificates):
            refuse(where, conflict)

    def _delegate(self, targets: Targets, grant: Grant, key: Key, now_ms: int) -> None:
        delegate(targets, grant, key)
        self._write_targets(targets, now_ms)

    def _root(self) -> Root:
        return read_root(self._draft.need(ROOT))

    def _targets(self) -> tuple[Targets, list[Grant]]:
        targets = Metadata[Targets].from_bytes(self._draft.need(TARGETS)).signed
        return targets, grants_of(targets)

    def _write_root(self, root: Root, signers: list[CryptoSigner]) -> None:
        data = signed(root, signers)
        self._draft.write(root_path(root.version), data)
        self._draft.write(ROOT, data)

    def _write_targets(self, targets: Targets, now_ms: int) -> None:
        targets.version = self._draft.next_version(TARGETS, targets.version)
        targets.expires = expires(now_ms, TARGETS_DAYS)
        self._draft.write(TARGETS, self._sign_targets(targets, self._root()))

    def _sign_targets(self, targets: Targets, root: Root) -> bytes:
        return signed(targets, [self._signer("targets", root, root.roles["targets"].keyids[0])])

    def _key_path(self, role: str, keyid: str) -> Path:
        return self._folder / "keys" / f"{role}-{keyid[:12]}.pem"

    def _has_key(self, role: str, keyid: str) -> bool:
        return self._key_path(role, keyid).exists()

    def _signer(self, role: str, root: Root, keyid: str) -> CryptoSigner:
        return open_signer(self._key_path(role, keyid), root.get_key(keyid))

    def _online(self, root: Root) -> CryptoSigner:
        return self._signer("online", root, root.roles["timestamp"].keyids[0])

    def _new_key(self, role: str) -> SSlibKey:
        """Make a key and name its file after its id."""
        folder = self._folder / "keys"
        with disk_faults(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            key = create_key(folder / f"{role}.new")
            os.rename(folder / f"{role}.new", self._key_path(role, key.keyid))
        return key


def _without(grants: list[Grant], node_id: str) -> list[Grant]:
    return [grant for grant in grants if grant.node_id != node_id]


def _grant_of(grants: list[Grant], node_id: str) -> Grant | None:
    return next((grant for grant in grants if grant.node_id == node_id), None)


def _granted(node_id: str, codes: Iterable[Code], roles: Iterable[Role], before: Grant | None, now_ms: int) -> Grant:
    """Return a node's new grant; the leaves that it has stay, and what it held until now is remembered."""
    wanted, had = set(codes), set(before.leaves) if before else set()
    if strange := sorted(code for code in wanted if not code.is_grantable):
        raise Rejected(Reason.CODE_MALFORMED, f"{strange[0]} is granted to nobody: Z has no groups after a dot")
    leaves = {code for code in wanted if code.is_leaf}
    grant = Grant(node_id, tuple(sorted(wanted - leaves)), frozenset(roles), tuple(sorted(had | leaves)))
    return following(grant, before, now_ms)


def _key_of(targets: Targets, grants: list[Grant], node_id: str) -> Key:
    """Return the key of an admitted node."""
    if all(grant.node_id != node_id for grant in grants):
        refuse(node_id, "is not an admitted node")
    return key_of_node(targets, node_id)


def _check_free(grant: Grant, others: list[Grant]) -> None:
    """Refuse a prefix or leaf that another node holds."""
    for prefix in (*grant.prefixes, *grant.leaves):
        holder = holder_of(others, prefix)
        if holder is not None:
            raise Denied(Reason.PEER_SPEAKS_FOR_OTHERS, f"prefix {prefix} is granted to {holder}")
