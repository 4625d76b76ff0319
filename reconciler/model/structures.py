"""Forms of the options that have a structure of their own: ports, network endpoints, health checks.

Canonical shapes:
    ports        {"80/tcp": ("127.0.0.1:4000", ...)}; no host address is "", an ephemeral port is ""
    expose       {"80/tcp": True}
    networks     {network: {"aliases", "links", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address",
                 "driver_opts", "gw_priority"}}
    healthcheck  {"test", "interval", "timeout", "start_period", "start_interval", "retries"}; times in ns
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from reconciler.model.forms import Form, declare_ip, same, scalar, show_plain
from reconciler.model.scalars import declare_duration
from reconciler.model.values import Value

#: the option of the bridge driver that names the interface in the container
INTERFACE_NAME = "com.docker.network.endpoint.ifname"
#: what fixes the addresses of an endpoint
ADDRESSES = ("ipv4_address", "ipv6_address")
_SYSCTLS = "com.docker.network.endpoint.sysctls"
_PORT = re.compile(
    r"(?:(?:\[(?P<ip6>[0-9a-fA-F:]+)\]|(?P<ip>[^:]*)):)?(?:(?P<host>[\d-]*):)?(?P<container>[\d-]+)(?:/(?P<protocol>\w+))?"
)


# --- ports ---------------------------------------------------------------------------------------------------------


def _range(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise ValueError(f"{text!r} is not a port or a range of ports; write one such as 80 or 8000-8010")
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise ValueError(f"{text!r} is not a port; ports go from 1 to 65535, ranges upwards")
    return list(range(low, high + 1))


def _protocol(text: str | None) -> str:
    protocol = (text or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise ValueError(f"{text!r} is not a protocol; write tcp, udp or sctp")
    return protocol


def _pairs(host: str, container: str) -> list[tuple[str, int]]:
    """(host port, container port): one each; a range for one container port lets the engine pick from it."""
    containers = _range(container)
    if host in ("", "0"):
        return [("", port) for port in containers]
    hosts = _range(host)
    if len(containers) == 1 and len(hosts) > 1:
        return [(f"{hosts[0]}-{hosts[-1]}", containers[0])]
    if len(hosts) != len(containers):
        raise ValueError(
            f"the ranges {host!r} and {container!r} differ in length; write as many ports on one side as on the other, or one port of the container"
        )
    return [(str(published), target) for published, target in zip(hosts, containers, strict=True)]


def _parse_port(raw: str | int) -> tuple[str, str, str, str]:
    """(host address, host port, container port, protocol) of the short form."""
    match = _PORT.fullmatch(str(raw).strip())
    if match is None or match["container"] is None:
        raise ValueError(f"{raw!r} is not a port; write '80', '4000:80' or '127.0.0.1:4000:80/udp'")
    address, host = match["ip6"] or match["ip"] or "", match["host"]
    if host is None and address:  # `4000:80`: what stands first is a port, not an address
        address, host = "", address
    return address, host or "", match["container"], match["protocol"] or "tcp"


def declare_ports(raw: list[Any]) -> dict[str, Value]:
    bindings: dict[str, set[str]] = {}
    for item in raw:
        if isinstance(item, Mapping):
            address, host = str(item.get("host_ip") or ""), str(item.get("published") or "")
            container, protocol = str(item["target"]), item.get("protocol")
        else:
            address, host, container, protocol = _parse_port(item)
        address = declare_ip(address) if address else ""
        for published, target in _pairs(host, container):
            bindings.setdefault(f"{target}/{_protocol(protocol)}", set()).add(f"{address}:{published}")
    return {port: tuple(sorted(places)) for port, places in bindings.items()}


def read_ports(api: Mapping[str, Any] | None) -> dict[str, Value]:
    ports: dict[str, Value] = {}
    for port, places in (api or {}).items():
        bound = {f"{place.get('HostIp') or ''}:{place.get('HostPort') or ''}" for place in places or ()}
        if bound:
            ports[port] = tuple(sorted(bound))
    return ports


def write_ports(value: Mapping[str, Any]) -> dict[str, Any]:
    split = {port: [place.rpartition(":") for place in places] for port, places in value.items()}
    return {port: [{"HostIp": ip, "HostPort": host} for ip, _, host in places] for port, places in split.items()}


def declare_expose(raw: list[Any]) -> dict[str, Value]:
    exposed: dict[str, Value] = {}
    for item in raw:
        ports, _, protocol = str(item).partition("/")
        exposed.update({f"{port}/{_protocol(protocol)}": True for port in _range(ports)})
    return exposed


def read_expose(api: Mapping[str, Any] | None) -> dict[str, Value]:
    return {(port if "/" in port else f"{port}/tcp").lower(): True for port in api or ()}


def write_expose(value: Mapping[str, Any]) -> dict[str, Any]:
    return {port: {} for port in sorted(value)}


# --- network endpoints ---------------------------------------------------------------------------------------------


def declare_networks(raw: list[str] | Mapping[str, Any]) -> dict[str, Value]:
    """Endpoint settings by network, from a list of names or a table; `priority` only orders and is kept apart."""
    if not isinstance(raw, Mapping):
        return {name: {} for name in raw}
    return {name: declare_endpoint(settings or {}) for name, settings in raw.items()}


def declare_endpoint(raw: Mapping[str, Any]) -> dict[str, Value]:
    endpoint: dict[str, Value] = {}
    for key in ("aliases", "links"):
        if raw.get(key):
            endpoint[key] = tuple(sorted({str(item) for item in raw[key]}))
    for key in ADDRESSES:
        if raw.get(key):
            endpoint[key] = declare_ip(raw[key])
    if raw.get("link_local_ips"):
        endpoint["link_local_ips"] = tuple(sorted({declare_ip(item) for item in raw["link_local_ips"]}))
    if raw.get("mac_address"):
        endpoint["mac_address"] = declare_mac(raw["mac_address"])
    options = {str(key): scalar(value) for key, value in (raw.get("driver_opts") or {}).items()}
    if raw.get("interface_name"):
        options[INTERFACE_NAME] = str(raw["interface_name"])
    if options:
        endpoint["driver_opts"] = options
    if raw.get("gw_priority"):
        endpoint["gw_priority"] = int(raw["gw_priority"])
    return endpoint


def declare_mac(raw: str) -> str:
    mac = raw.strip().lower().replace("-", ":")
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", mac):
        raise ValueError(f"{raw!r} is not a MAC address; write one such as '02:42:ac:11:00:02'")
    return mac


def read_endpoint(api: Mapping[str, Any], short_id: str) -> dict[str, Value]:
    """One entry of `NetworkSettings.Networks`; engines before 25 add the container's short id to the aliases."""
    ipam, options = api.get("IPAMConfig") or {}, dict(api.get("DriverOpts") or {})
    options.pop(_SYSCTLS, None)  # the option sysctls, which the engine moves here
    return declare_endpoint(
        {
            "aliases": set(api.get("Aliases") or ()) - {short_id},
            "links": api.get("Links"),
            "ipv4_address": ipam.get("IPv4Address"),
            "ipv6_address": ipam.get("IPv6Address"),
            "link_local_ips": ipam.get("LinkLocalIPs"),
            "mac_address": api.get("MacAddress"),
            "driver_opts": options,
            "gw_priority": api.get("GwPriority"),
        }
    )


def endpoint_body(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `NetworkingConfig.EndpointsConfig`, also the body of a connect."""
    ipam = {
        "IPv4Address": endpoint.get("ipv4_address"),
        "IPv6Address": endpoint.get("ipv6_address"),
        "LinkLocalIPs": list(endpoint.get("link_local_ips") or ()),
    }
    body = {
        "Aliases": list(endpoint.get("aliases") or ()),
        "Links": list(endpoint.get("links") or ()),
        "IPAMConfig": {key: value for key, value in ipam.items() if value},
        "MacAddress": endpoint.get("mac_address"),
        "DriverOpts": dict(endpoint.get("driver_opts") or {}),
        "GwPriority": endpoint.get("gw_priority"),
    }
    return {key: value for key, value in body.items() if value}


# --- health checks -------------------------------------------------------------------------------------------------

_HEALTH = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
}


def declare_healthcheck(raw: Mapping[str, Any]) -> dict[str, Value]:
    test = raw.get("test")
    check: dict[str, Value] = {}
    if raw.get("disable") or test in ("NONE", ["NONE"]):
        return {"test": ("NONE",)}
    if isinstance(test, str):
        check["test"] = ("CMD-SHELL", test)
    elif test:
        words = tuple(str(word) for word in test)
        check["test"] = words if words[0] in ("CMD", "CMD-SHELL") else ("CMD", *words)
    for key in _HEALTH:
        if raw.get(key) is not None:
            check[key] = declare_duration(raw[key])
    if raw.get("retries"):
        check["retries"] = int(raw["retries"])
    return {key: value for key, value in check.items() if value is not None}


def read_healthcheck(api: Mapping[str, Any] | None) -> dict[str, Value]:
    api = api or {}
    check: dict[str, Value] = {"test": tuple(api["Test"])} if api.get("Test") else {}
    check.update({key: int(api[name]) for key, name in _HEALTH.items() if api.get(name)})
    if api.get("Retries"):
        check["retries"] = int(api["Retries"])
    return check


def write_healthcheck(value: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {name: value[key] for key, name in _HEALTH.items() if value.get(key)}
    if value.get("test"):
        body["Test"] = list(value["test"])
    if value.get("retries"):
        body["Retries"] = value["retries"]
    return body


#: what the engine takes where a health check does not say, in seconds; and a margin for a busy host
_DEFAULTS = {"interval": 30.0, "timeout": 30.0, "start_period": 0.0}
_DEFAULT_RETRIES, _MARGIN = 3, 10.0


def decides_within(check: Mapping[str, Value]) -> float:
    """Seconds after which a health check has said healthy or unhealthy for good."""
    seconds = {key: duration(check, key) for key in _DEFAULTS}
    retries = check.get("retries")
    tries = (retries if isinstance(retries, int) else _DEFAULT_RETRIES) + 1
    return seconds["start_period"] + tries * (seconds["interval"] + seconds["timeout"]) + _MARGIN


def duration(check: Mapping[str, Value], key: str) -> float:
    """Seconds of one of a health check's times."""
    value = check.get(key)
    return value / 10**9 if isinstance(value, int) else _DEFAULTS[key]


# --- address management of networks --------------------------------------------------------------------------------


def declare_ipam(raw: Mapping[str, Any]) -> dict[str, Value]:
    """`{driver, options, config: {subnet: {gateway, ip_range, aux_addresses}}}`."""
    pools: dict[str, Value] = {}
    for pool in raw.get("config") or ():
        settings: dict[str, Value] = {}
        if pool.get("gateway"):
            settings["gateway"] = declare_ip(pool["gateway"])
        if pool.get("ip_range"):
            settings["ip_range"] = _subnet(pool["ip_range"])
        if pool.get("aux_addresses"):
            settings["aux_addresses"] = {host: declare_ip(ip) for host, ip in pool["aux_addresses"].items()}
        pools[_subnet(pool["subnet"])] = settings
    ipam: dict[str, Value] = {"config": pools} if pools else {}
    if raw.get("driver"):
        ipam["driver"] = str(raw["driver"])
    if raw.get("options"):
        ipam["options"] = {str(key): str(value) for key, value in raw["options"].items()}
    return ipam


def _subnet(raw: str) -> str:
    try:
        return str(ipaddress.ip_network(str(raw), strict=False))
    except ValueError:
        raise ValueError(f"{raw!r} is not a subnet; write one such as '10.5.0.0/24'") from None


def read_ipam(api: Mapping[str, Any] | None) -> dict[str, Value]:
    api = api or {}
    config = [
        {
            "subnet": p["Subnet"],
            "gateway": (p.get("Gateway") or "").partition("/")[0],
            "ip_range": p.get("IPRange"),
            "aux_addresses": p.get("AuxiliaryAddresses"),
        }
        for p in api.get("Config") or ()
        if p.get("Subnet")
    ]
    return declare_ipam({"driver": api.get("Driver"), "options": api.get("Options"), "config": config})


def write_ipam(value: Mapping[str, Any]) -> dict[str, Any]:
    pools = []
    for subnet, settings in (value.get("config") or {}).items():
        pool = {"Subnet": subnet, "Gateway": settings.get("gateway"), "IPRange": settings.get("ip_range")}
        pool["AuxiliaryAddresses"] = dict(settings["aux_addresses"]) if settings.get("aux_addresses") else None
        pools.append({key: item for key, item in pool.items() if item})
    return {"Driver": value.get("driver", "default"), "Options": dict(value.get("options") or {}), "Config": pools}


PORTS = Form(declare_ports, read_ports, write_ports, show_plain)
EXPOSE = Form(declare_expose, read_expose, write_expose, lambda value: show_plain(tuple(sorted(value or ()))))
NETWORKS = Form(declare_networks, same, same, show_plain)
HEALTHCHECK = Form(declare_healthcheck, read_healthcheck, write_healthcheck, show_plain)
IPAM = Form(declare_ipam, read_ipam, write_ipam, show_plain)
