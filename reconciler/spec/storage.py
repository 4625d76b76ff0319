"""Networks and volumes."""

from __future__ import annotations

from reconciler.model.address import Address, Kind
from reconciler.model.desired import NetworkResource, VolumeResource
from reconciler.spec.keys import Keys
from reconciler.spec.naming import is_predefined, wrong_object
from reconciler.spec.scope import Scope, Table

DEFAULT = "default"


def resolve_networks(scope: Scope, *, adopt: bool) -> dict[str, NetworkResource]:
    """The declared networks by their name in the spec, and the default one, whether or not it is used.

    `adopt` holds where a network does not say.
    """
    networks = {}
    for name, table in scope.tables(Kind.NETWORK).items():
        engine_name, external = _engine_name(scope, Kind.NETWORK, name, table)
        config = {} if external else scope.config(Kind.NETWORK, name, table)
        if not external and is_predefined(engine_name):
            scope.problems.at(
                (Kind.NETWORK.value, name, "name"),
                f"every engine has a network {engine_name!r} of its own",
                "write external = true",
            )
        address, origin = Address(Kind.NETWORK, name), scope.origin(Kind.NETWORK, name)
        networks[name] = NetworkResource(address, engine_name, config, external, table.get("adopt", adopt), origin)
    if DEFAULT not in networks:
        address = Address(Kind.NETWORK, DEFAULT)
        networks[DEFAULT] = NetworkResource(address, f"{scope.project}_{DEFAULT}", adopt=adopt)
    return networks


def resolve_volumes(scope: Scope, *, adopt: bool) -> dict[str, VolumeResource]:
    """The declared volumes by their name in the spec; `adopt` holds where a volume does not say."""
    volumes = {}
    for name, table in scope.tables(Kind.VOLUME).items():
        engine_name, external = _engine_name(scope, Kind.VOLUME, name, table)
        config = {} if external else scope.config(Kind.VOLUME, name, table)
        address, origin = Address(Kind.VOLUME, name), scope.origin(Kind.VOLUME, name)
        prune, adopts = table.get("prune", False), table.get("adopt", adopt)
        volumes[name] = VolumeResource(address, engine_name, config, external, prune, adopts, origin)
    return volumes


def _engine_name(scope: Scope, kind: Kind, name: str, table: Table) -> tuple[str, bool]:
    """(name on the engine, whether it is external); what is external is called as it is, without the project."""
    external = table.get("external", False)
    keys: Keys = (kind.value, name)
    if external:
        for option in table:
            if option not in ("external", "name"):
                scope.problems.at(
                    (*keys, option),
                    "it is external: only its name can be said here",
                    "leave out external, or this option",
                )
    engine_name = table.get("name", name if external else f"{scope.project}_{name}")
    wrong = wrong_object(kind, engine_name) if "name" in table else ""
    if wrong:
        scope.problems.at((*keys, "name"), wrong)
    return engine_name, external
