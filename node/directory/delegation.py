"""Delegations of TUF, which are the grants: how the authority's `targets` says who may sign what, and how it is read again.

One delegated role per node, terminating, threshold 1, with exact paths (no patterns), the granted roles in `truc_roles`. Since when a
prefix is held, which were held before, and opaque codes stand in fields of our own (layout.py), which older versions pass over: more
paths they would refuse.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from node.directory.grant import Grant
from node.directory.layout import FORMER_FIELD, LEAVES_FIELD, ROLES_FIELD, SINCE_FIELD, check_node_id, node_target
from node.directory.rules import refuse
from node.directory.tufapi import DelegatedRole, Delegations, Key, Targets
from node.errors import Rejected
from node.model.code import Code, parse_code, parse_leaf
from node.model.directory import Holding, Role

_ZONE = "zones/"
_ROLE_NAMES = {role: role.name.lower() for role in Role}


def delegate(targets: Targets, grant: Grant, key: Key) -> None:
    """Write a grant into `targets`, in place of an older one for the same node; `key` is the node's zone key."""
    withdraw(targets, grant.node_id)
    names = sorted(_ROLE_NAMES[role] for role in grant.roles)
    fields = {ROLES_FIELD: names, **_remembered(grant)}
    role = DelegatedRole(grant.node_id, [], 1, True, grant.targets(), None, fields)
    _roles(targets)[grant.node_id] = role
    targets.add_key(key, grant.node_id)


def withdraw(targets: Targets, node_id: str) -> None:
    """Take a node's delegation out of `targets`; nothing happens if there is none."""
    roles = _roles(targets)
    if node_id in roles:
        for keyid in list(roles[node_id].keyids):
            targets.revoke_key(keyid, node_id)
        del roles[node_id]


def key_of_node(targets: Targets, node_id: str) -> Key:
    """Return the zone key that a node's grant names. Raises ValueError if the node has none."""
    return targets.get_key(targets.get_delegated_role(node_id).keyids[0])


def grants_of(targets: Targets) -> list[Grant]:
    """Read all grants, in order of admission. Raises Broken(DIRECTORY_INVALID) if they are not what `delegate` writes."""
    # The authority's signature alone does not do: TUF would follow patterns, hash bins and shared prefixes just as well, and then
    # it would hang on the order of the delegations whose word counts.
    if targets.delegations is None:
        return []
    if targets.delegations.roles is None:
        refuse("targets", "delegates to hash bins")
    grants = [_grant(role) for role in targets.delegations.roles.values()]
    holders: dict[Code, str] = {}
    for grant in grants:
        for prefix in (*grant.prefixes, *grant.leaves):
            if prefix in holders:
                refuse("targets", f"prefix {prefix} is granted to {holders[prefix]} and to {grant.node_id}")
            holders[prefix] = grant.node_id
    return grants


def _roles(targets: Targets) -> dict[str, DelegatedRole]:
    if targets.delegations is None:
        targets.delegations = Delegations({}, {})
    assert targets.delegations.roles is not None, "read by grants_of"
    return targets.delegations.roles


def _grant(role: DelegatedRole) -> Grant:
    node_id = check_node_id(role.name)
    paths = role.paths or []
    prefixes = tuple(_prefix(path) for path in paths if path.startswith(_ZONE))
    if set(paths) != {node_target(node_id), *(_ZONE + prefix.text for prefix in prefixes)} or not role.terminating:
        refuse("targets", f"the delegation to {node_id} has paths that are not its own")
    if role.threshold != 1 or len(role.keyids) != 1:
        refuse("targets", f"the delegation to {node_id} does not name one key")
    # A role that this version does not know grants nothing that this version could use.
    names = role.unrecognized_fields.get(ROLES_FIELD, [])
    roles = frozenset(known for known, name in _ROLE_NAMES.items() if name in names)
    try:
        return _with_remembered(Grant(node_id, prefixes, roles), role.unrecognized_fields)
    except (Rejected, KeyError, TypeError, ValueError, AttributeError) as error:
        refuse("targets", f"the delegation to {node_id} remembers what cannot be read: {error}")


def _remembered(grant: Grant) -> dict[str, Any]:
    """Return the fields of a grant besides paths and roles; none that would be empty."""
    former = [{"prefix": one.prefix.text, "from_ms": one.from_ms, "until_ms": one.until_ms} for one in grant.former]
    fields = {
        SINCE_FIELD: {code.text: at_ms for code, at_ms in grant.since.items()},
        FORMER_FIELD: former,
        LEAVES_FIELD: [leaf.text for leaf in grant.leaves],
    }
    return {name: value for name, value in fields.items() if value}


def _with_remembered(grant: Grant, fields: Mapping[str, Any]) -> Grant:
    leaves = tuple(parse_leaf(text) for text in fields.get(LEAVES_FIELD, []))
    since = {_held(text): int(at_ms) for text, at_ms in fields.get(SINCE_FIELD, {}).items()}
    former = tuple(
        Holding(_held(one["prefix"]), grant.node_id, int(one["from_ms"]), int(one["until_ms"]))
        for one in fields.get(FORMER_FIELD, [])
    )
    return replace(grant, leaves=leaves, since=since, former=former)


def _held(text: str) -> Code:
    """Read the code of a prefix or of a leaf. Raises Rejected(CODE_MALFORMED)."""
    try:
        return parse_leaf(text)
    except Rejected:
        return parse_code(text)


def _prefix(path: str) -> Code:
    try:
        code = parse_code(path.removeprefix(_ZONE))
    except Rejected as error:
        refuse("targets", f"{path} is not a zone: {error.detail}")
    if code.is_leaf:
        refuse("targets", f"{path} is no zone: an opaque code is nobody's prefix")
    if _ZONE + code.text != path:
        refuse("targets", f"{path} is not canonical")
    return code
