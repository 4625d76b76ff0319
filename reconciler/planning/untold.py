"""What an engine does and does not tell: Podman, whose answers leave out or fill in what nobody can change afterwards.

Such an option is judged by the fingerprint: made from what the spec says now, it is as declared; made from something
else, it differs, whatever the answer says. Nothing is lost by that, since only a replacement changes it. What Podman's
API takes and drops in silence is refused instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.address import Kind
from reconciler.model.observed import EngineFacts
from reconciler.model.ownership import Fingerprint, hash_declared
from reconciler.model.scalars import PATHS_UNCONFINED
from reconciler.model.structures import ADDRESSES
from reconciler.model.values import NOT_TOLD, Config, Value

_UNTOLD = {
    Kind.CONTAINER: (
        *("cap_add", "cap_drop", "security_opt", "sysctls", "devices"),  # told as far as they differ from its defaults
        *("stop_signal", "stop_grace_period", "working_dir", "healthcheck", "ulimits"),  # filled in
        *("init", "ipc", "logging", "volumes", "tmpfs"),  # told in part, or in another place
        *("blkio_config", "cgroup", "ports", "userns_mode"),  # told by another name, or not at all
        *("annotations", "runtime", "mem_swappiness"),  # its own among them, or under a name of its own
        "device_cgroup_rules",  # held, and not told
    ),
    Kind.NETWORK: ("attachable", "driver_opts", "enable_ipv6", "ipam"),
}
#: what is not told of a subnet
_WITHIN_SUBNETS = ("ip_range", "aux_addresses")
#: changed in place elsewhere; here no answer would tell that it was, so a new container is made
_REPLACED = frozenset({"blkio_config"})
#: how many processes it allows where nobody said a number, and what it adds to the environment
_PIDS, _VARIABLES = 2048, frozenset({"HOME", "HOSTNAME", "TERM", "container"})
#: the search path that it gives where the image has none
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: options of a network's driver that its Docker-compatible API takes on; it drops all others
_DRIVER_OPTIONS = {"mtu", "com.docker.network.driver.mtu", "com.docker.network.bridge.name", "mode", "parent"}


def as_far_as_told(
    facts: EngineFacts, kind: Kind, expected: Config, observed: Config, declared: Config, made_from: Fingerprint
) -> dict[str, Value]:
    """The observed config, with what this engine does not tell taken from the fingerprint."""
    if not facts.is_podman:
        return dict(observed)
    if kind is Kind.NETWORK and not made_from.is_readable:
        return _network_of_others(expected, observed)
    config = _without_additions(expected, observed, declared) if kind is Kind.CONTAINER else dict(observed)
    for name in _UNTOLD.get(kind, ()):
        if not made_from.is_readable or made_from.options.get(name) == hash_declared(declared.get(name)):
            config[name] = expected.get(name)
        elif config.get(name) == expected.get(name) or name in _REPLACED:
            config[name] = NOT_TOLD
    return config


def _network_of_others(expected: Config, observed: Config) -> dict[str, Value]:
    """No fingerprint tells how it was made, so what is told counts: the subnets that it has, and IPv6 that it lacks."""
    config = {**observed, "attachable": expected.get("attachable"), "driver_opts": expected.get("driver_opts")}
    if not expected.get("enable_ipv6"):
        config["enable_ipv6"] = expected.get("enable_ipv6")
    wanted, seen = _mapping(expected.get("ipam")), _mapping(observed.get("ipam"))
    subnets: dict[str, Value] = {}
    for subnet, settings in _mapping(seen.get("config")).items():
        asked = _mapping(_mapping(wanted.get("config")).get(subnet))
        subnets[subnet] = {**_mapping(settings), **{key: asked[key] for key in _WITHIN_SUBNETS if key in asked}}
    config["ipam"] = {**wanted, "config": subnets}
    return config


def _without_additions(expected: Config, observed: Config, declared: Config) -> dict[str, Value]:
    config = dict(observed)
    wanted, seen = expected.get("environment"), config.get("environment")
    if isinstance(wanted, Mapping) and isinstance(seen, Mapping):
        config["environment"] = {
            key: value
            for key, value in seen.items()
            if key in wanted or (key not in _VARIABLES and (key, value) != ("PATH", _PATH))
        }
    if "pids_limit" in declared and declared["pids_limit"] is None and config.get("pids_limit") is not None:
        config["pids_limit"] = NOT_TOLD  # only a new container has no limit at all
    elif config.get("pids_limit") == _PIDS != expected.get("pids_limit"):
        config["pids_limit"] = None
    config["networks"] = _endpoints(expected.get("networks"), config.get("networks"))
    # Processors and a quota of 100 ms are one to it, and it shows both.
    if expected.get("cpu_quota") is not None or expected.get("cpu_period") is not None:
        config["cpus"] = expected.get("cpus")
    elif config.get("cpus") is not None:
        config["cpu_quota"] = config["cpu_period"] = None
    return config


def _endpoints(expected: Value, observed: Value) -> Value:
    """An address counts only when asked for; one that is asked for is not told while the container does not run."""
    if not isinstance(observed, Mapping) or not isinstance(expected, Mapping):
        return observed
    endpoints: dict[str, Value] = {}
    for name, endpoint in observed.items():
        wanted, seen = expected.get(name), dict(endpoint) if isinstance(endpoint, Mapping) else {}
        asked = wanted if isinstance(wanted, Mapping) else {}
        addresses = {key: seen.pop(key, asked.get(key, None)) for key in ADDRESSES}
        endpoints[name] = {**seen, **{key: address for key, address in addresses.items() if key in asked}}
    return endpoints


def _dropped_endpoints(config: Config) -> list[str]:
    endpoints = config.get("networks")
    if not isinstance(endpoints, Mapping):
        return []
    said = {key for endpoint in endpoints.values() if isinstance(endpoint, Mapping) for key in endpoint}
    return [f"{key} of a network's endpoint" for key in sorted(said & {"driver_opts", "link_local_ips", "links"})]


def _dropped_values(config: Config) -> list[str]:
    """Values that it drops, of options that it has."""
    security = config.get("security_opt")
    said = [str(item) for item in security] if isinstance(security, tuple | list) else []
    unknown = [PATHS_UNCONFINED] if PATHS_UNCONFINED in said else []
    if any(item.startswith("seccomp={") for item in said):
        unknown.append("seccomp=FILE from another machine")
    if any(_mapping(mount).get("labels") for mount in _mapping(config.get("volumes")).values()):
        unknown.append("labels of a mount's volume")
    if config.get("memswap_limit") == -1 and config.get("mem_limit"):
        unknown.append("memswap_limit = -1 for a new container")
    return unknown


def dropped(facts: EngineFacts, kind: Kind, config: Config, supplied: Config | None = None) -> str:
    """What this engine would take and drop in silence, as a note; "" when it knows everything.

    Args:
        supplied: what the image of a container adds, as far as it is here.
    """
    if not facts.is_podman:
        return ""
    options = config.get("driver_opts")
    unknown = []
    if kind is Kind.CONTAINER:
        unknown = [*(name for name in ("domainname", "gpus") if config.get(name)), *_dropped_endpoints(config)]
        unknown += _dropped_values(config)
    elif kind is Kind.NETWORK and isinstance(options, Mapping):
        unknown = [f"driver option {name}" for name in sorted(options) if name not in _DRIVER_OPTIONS]
    if kind is Kind.CONTAINER and config.get("entrypoint") == () and (supplied or {}).get("entrypoint"):
        return "Podman's API keeps the image's entrypoint where [] should take it away; write one of your own"
    files = [*_mapping(config.get("configs")), *_mapping(config.get("secrets"))] if kind is Kind.CONTAINER else []
    if files and config.get("read_only"):
        # They go into a volume, and it puts them under that instead: the container would find nothing.
        return "Podman's API puts no configs and secrets into a container with read_only; leave that out on this engine"
    volumes = {**_mapping(config.get("volumes")), **_mapping((supplied or {}).get("volumes"))}
    below = sorted(f"{file} is in {path}" for file in files for path in volumes if _is_in(file, path))
    if below:
        return f"Podman's API puts no configs and secrets into a volume: {', '.join(below)}; mount them elsewhere"
    return f"Podman's API has no {' and no '.join(unknown)}; leave it out on this engine" if unknown else ""


def _is_in(file: str, directory: str) -> bool:
    return file.startswith(f"{directory.rstrip('/')}/")


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
