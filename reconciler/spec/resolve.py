"""The document → DesiredState: names of the engine, absolute paths, references between resources."""

from __future__ import annotations

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, DesiredState, NetworkResource, Resource
from reconciler.spec.consistency import check_names, is_bearable, warnings
from reconciler.spec.containers import Surroundings, resolve_container
from reconciler.spec.contents import Contents
from reconciler.spec.dependencies import check_cycles, dependencies_of
from reconciler.spec.deploy import lower, not_carried_out
from reconciler.spec.environment import env_files
from reconciler.spec.images import Images
from reconciler.spec.naming import wrong_resource
from reconciler.spec.places import check_addresses, check_ports
from reconciler.spec.rollouts import check_project_rollout
from reconciler.spec.scope import Scope
from reconciler.spec.security import profiles
from reconciler.spec.storage import DEFAULT, resolve_networks, resolve_volumes


def resolve(scope: Scope, files: tuple[str, ...]) -> DesiredState:
    """Every resource of the project. What cannot be resolved goes to the problems of the scope.

    The document's structure has been checked: options have the types they should.
    """
    for kind in Kind:
        for name in scope.tables(kind):
            wrong = wrong_resource(name)
            if wrong:
                scope.problems.at((kind.value, name), wrong)
    scope = lower(scope)
    settings = scope.document.get("project", {})
    check_project_rollout(scope)
    adopt = settings.get("adopt", False)
    networks, volumes = resolve_networks(scope, adopt=adopt), resolve_volumes(scope, adopt=adopt)
    declared = scope.tables(Kind.CONTAINER)
    dependencies = {name: dependencies_of(scope, name, table) for name, table in declared.items()}
    check_cycles(scope, dependencies)
    contents = Contents(scope)
    around = Surroundings(Images(scope, contents), networks, volumes, dependencies, adopt, contents)
    containers: list[ContainerResource] = []
    for name in declared if is_bearable(scope) else ():
        containers += resolve_container(scope, name, around)
    used = _used(networks, containers)
    for resources in (used, [*volumes.values()], containers):
        check_names(scope, resources)
    check_ports(scope, containers)
    check_addresses(scope, containers)
    found: list[Resource] = [*around.images.resources.values(), *used, *volumes.values(), *containers]
    prune = settings.get("prune", False)
    cautions = (
        *warnings(containers, networks),
        *not_carried_out(scope),
        *contents.warnings,
    )
    reads = tuple(sorted({*contents.reads, *env_files(scope), *profiles(scope)}))
    return DesiredState(scope.project, {r.address: r for r in found}, prune, cautions, files, reads, contents.secrets)


def _used(networks: dict[str, NetworkResource], containers: list[ContainerResource]) -> list[NetworkResource]:
    """The networks to be made: the default one only if a container is attached to it."""
    default = Address(Kind.NETWORK, DEFAULT)
    is_used = any(default in container.needs for container in containers)
    return [network for network in networks.values() if is_used or network.address != default]
