"""The document → DesiredState: names of the engine, absolute paths, references between resources."""

from __future__ import annotations

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, DesiredState, Resource
from reconciler.spec import consistency
from reconciler.spec.containers import MAX_SCALE, Surroundings, resolve_container
from reconciler.spec.images import Images
from reconciler.spec.naming import wrong_resource
from reconciler.spec.scope import Scope
from reconciler.spec.storage import DEFAULT, resolve_networks, resolve_volumes

MAX_INSTANCES = 2000


def resolve(scope: Scope, files: tuple[str, ...]) -> DesiredState:
    """Every resource of the project. What cannot be resolved goes to the problems of the scope.

    The document's structure has been checked: options have the types they should.
    """
    for kind in Kind:
        for name in scope.tables(kind):
            wrong = wrong_resource(name)
            if wrong:
                scope.problems.at((kind.value, name), wrong)
    settings = scope.document.get("project", {})
    adopt = settings.get("adopt", False)
    networks, volumes = resolve_networks(scope, adopt=adopt), resolve_volumes(scope, adopt=adopt)
    around = Surroundings(Images(scope), networks, volumes, adopt)
    containers = _containers(scope, around)
    used = {address for container in containers for address in container.needs}
    if Address(Kind.NETWORK, DEFAULT) not in used:
        networks = {name: network for name, network in networks.items() if name != DEFAULT}
    found: list[Resource] = [*around.images.resources.values(), *networks.values(), *volumes.values(), *containers]
    resources = {resource.address: resource for resource in found}
    consistency.check(scope, containers, [*networks.values()], [*volumes.values()])
    warnings = consistency.warnings(containers, networks)
    return DesiredState(scope.project, resources, settings.get("prune", False), warnings, files)


def _containers(scope: Scope, around: Surroundings) -> list[ContainerResource]:
    containers: list[ContainerResource] = []
    declared = scope.tables(Kind.CONTAINER)
    total = sum(min(max(table.get("scale", 1), 0), MAX_SCALE) for table in declared.values())
    if total > MAX_INSTANCES:
        last = next(reversed(declared))
        message = f"the project has {total} instances of containers; at most {MAX_INSTANCES} are taken"
        scope.problems.at((Kind.CONTAINER.value, last), message, "lower scale, or split the project")
        return []
    for name, table in declared.items():
        containers += resolve_container(scope, name, table, around)
    return containers
