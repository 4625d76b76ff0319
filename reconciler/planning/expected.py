"""What inspect should say: the declared options, over what the image supplies, over the engine's defaults."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.address import Kind
from reconciler.model.desired import ContainerResource
from reconciler.model.mounts import comparable_mount
from reconciler.model.observed import EngineFacts, ObservedContainer
from reconciler.model.options import Supplied
from reconciler.model.ownership import foreign_labels
from reconciler.model.plan import VOLUMES_FROM
from reconciler.model.rows import BY_NAME, CONTAINER
from reconciler.model.values import Config, Value

_DEFAULTS: dict[str, Value] = {row.name: row.default for row in CONTAINER if row.path}
_FROM_IMAGE = frozenset(row.name for row in CONTAINER if row.image is not Supplied.NO)
_MERGED = frozenset(row.name for row in CONTAINER if row.image is Supplied.MERGES)


def expected_container(
    resource: ContainerResource,
    supplied: Config,
    facts: EngineFacts,
    observed: ObservedContainer,
    donors: Mapping[str, str],
) -> dict[str, Value]:
    """Every option of the table as the engine should show it.

    Args:
        supplied: what the image of `observed` adds.
        donors: by option, the id of the container whose namespace or mounts are shared.
    """
    declared = resource.config
    config = _layered(declared, supplied)
    config["container_name"] = resource.name
    config["labels"] = foreign_labels(_mapping(config["labels"]))
    _expect_command(config, declared, supplied)
    config["expose"] = {**_mapping(config["expose"]), **dict.fromkeys(_mapping(config["ports"]), True)}
    config["memswap_limit"] = _expect_swap(declared, facts)
    config["volumes"] = _expect_mounts(declared, supplied)
    config["runtime"] = declared.get("runtime") or facts.default_runtime
    config["networks"], config["network_mode"] = _expect_networks(resource, observed)
    for option, donor_id in donors.items():
        if not option.startswith(VOLUMES_FROM):
            config[option] = f"container:{donor_id}"
    config["volumes_from"] = {
        donors.get(f"{VOLUMES_FROM}{donor}") or donor.removeprefix("container:"): mode
        for donor, mode in _mapping(config["volumes_from"]).items()
    }
    return config


def _layered(declared: Config, supplied: Config) -> dict[str, Value]:
    """What is declared, over what the image supplies, over the defaults. Only what is there is gone through."""
    config = _DEFAULTS | {name: value for name, value in supplied.items() if name in _FROM_IMAGE}
    for name, value in declared.items():
        if name in _MERGED:
            config[name] = {**_mapping(config[name]), **_mapping(value)}
        elif value is not None:
            config[name] = value
    return config


def _expect_command(config: dict[str, Value], declared: Config, supplied: Config) -> None:
    """Entrypoint and command decide together, as in the engine: an entrypoint of one's own drops the image's command.

    `[]` blocks the image's entrypoint and keeps its command; `[""]` blocks both.
    """
    command = declared.get("command") or None
    entrypoint = declared.get("entrypoint")
    if entrypoint in ((), None):
        config["command"] = command or supplied.get("command")
        config["entrypoint"] = supplied.get("entrypoint") if entrypoint is None else None
    else:
        config["command"] = command
        config["entrypoint"] = None if entrypoint == ("",) else entrypoint


def _expect_swap(declared: Config, facts: EngineFacts) -> Value:
    memory, swap = declared.get("mem_limit"), declared.get("memswap_limit")
    if not isinstance(memory, int):
        return swap
    if not facts.swap_limit:
        return -1
    return swap if swap is not None else 2 * memory


def _expect_mounts(declared: Config, supplied: Config) -> dict[str, Value]:
    """Volumes of the image come in wherever nothing else is mounted."""
    mounts = {target: comparable_mount(_mapping(mount)) for target, mount in _mapping(declared.get("volumes")).items()}
    covered = {*mounts, *_mapping(declared.get("tmpfs"))}
    from_image = {path: mount for path, mount in _mapping(supplied.get("volumes")).items() if path not in covered}
    return {**from_image, **mounts}


def _expect_networks(resource: ContainerResource, observed: ObservedContainer) -> tuple[Value, Value]:
    """The endpoints, and the network mode.

    The engine keeps the network that a container was made with as its mode. Any of the declared ones will do: being
    made with another first is no reason to stop it.
    """
    mode = resource.config.get("network_mode")
    if mode is not None:
        return ({"bridge": {}} if mode == "bridge" else {}), mode
    current = (observed.config or {}).get("network_mode")
    primary = resource.networks[0] if resource.networks else "none"
    endpoints = _mapping(resource.config.get("networks"))
    wanted = {name: _without_own_name(_mapping(endpoint), resource.name) for name, endpoint in endpoints.items()}
    return wanted, current if current in resource.networks else primary


def observed_container(
    observed: ObservedContainer, expected: Config, network_ids: Mapping[str, str]
) -> dict[str, Value]:
    """The observed config with what says nothing taken out, so that it can be compared.

    Args:
        network_ids: the id of each network now, by name. An endpoint on one that was made anew is dead and left out.
    """
    config = dict(observed.config or {})
    config["labels"] = foreign_labels(_mapping(config.get("labels")))
    config["volumes"] = {
        target: comparable_mount(_mapping(mount)) for target, mount in _mapping(config.get("volumes")).items()
    }
    wanted = _mapping(expected.get("networks"))
    endpoints: dict[str, Value] = {}
    for name, endpoint in _mapping(config.get("networks")).items():
        seen, current_id = observed.network_ids.get(name, ""), network_ids.get(name, "")
        if seen and current_id and seen != current_id:
            continue
        known = _without_own_name(_mapping(endpoint), str(expected.get("container_name")))
        endpoints[name] = _comparable_endpoint(known, _mapping(wanted.get(name)), _mapping(config))
    config["networks"] = endpoints
    return config


def _without_own_name(endpoint: Mapping[str, Value], name: str) -> Mapping[str, Value]:
    """An alias that is the container's name says nothing: the engine answers to that name anyway."""
    aliases = endpoint.get("aliases")
    if not isinstance(aliases, tuple) or name not in aliases:
        return endpoint
    others = tuple(alias for alias in aliases if alias != name)
    return {key: others if key == "aliases" else value for key, value in endpoint.items() if others or key != "aliases"}


def _comparable_endpoint(
    endpoint: Mapping[str, Value], wanted: Mapping[str, Value], config: Mapping[str, Value]
) -> dict[str, Value]:
    """A MAC address is always there, so it counts only when asked for; some engines list the host name as an alias."""
    kept = {key: value for key, value in endpoint.items() if key != "mac_address" or "mac_address" in wanted}
    aliases, hostname = kept.get("aliases"), config.get("hostname")
    if isinstance(aliases, tuple) and hostname in aliases and hostname not in (wanted.get("aliases") or ()):  # type: ignore[operator]
        kept["aliases"] = tuple(alias for alias in aliases if alias != hostname) or None
    return {key: value for key, value in kept.items() if value is not None}


def expected_settings(kind: Kind, name: str, declared: Config) -> dict[str, Value]:
    """A network's or a volume's options as the engine should show them."""
    config = {row.name: declared.get(row.name, row.default) for row in BY_NAME[kind].values() if row.path}
    config["name"] = name
    return config


def observed_settings(config: Config) -> dict[str, Value]:
    return {**config, "labels": foreign_labels(_mapping(config.get("labels")))}


def _mapping(value: object) -> Mapping[str, Value]:
    # Nearly all of them are plain dicts, and asking for that is ten times as quick.
    return value if type(value) is dict or isinstance(value, Mapping) else {}
