"""Every key of the Compose specification is an option here, or there is a message of its own for it."""

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.model.address import Kind
from reconciler.model.rows import BY_NAME
from reconciler.spec.load import load

#: the properties of `service`, `network` and `volume` in schema/compose-spec.json of compose-go (2026)
SERVICE = [
    "annotations",
    "attach",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "configs",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "credential_spec",
    "depends_on",
    "deploy",
    "develop",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extends",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "label_file",
    "labels",
    "links",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "network_mode",
    "networks",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "post_start",
    "pre_start",
    "pre_stop",
    "privileged",
    "profiles",
    "provider",
    "pull_policy",
    "pull_refresh_after",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "use_api_socket",
    "user",
    "userns_mode",
    "uts",
    "volumes",
    "volumes_from",
    "working_dir",
]
NETWORK = [
    "attachable",
    "driver",
    "driver_opts",
    "enable_ipv4",
    "enable_ipv6",
    "external",
    "internal",
    "ipam",
    "labels",
    "name",
]
VOLUME = ["driver", "driver_opts", "external", "labels", "name"]


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        *((Kind.CONTAINER, key) for key in SERVICE),
        *((Kind.NETWORK, key) for key in NETWORK),
        *((Kind.VOLUME, key) for key in VOLUME),
    ],
)
def test_no_key_is_met_with_silence(tmp_path: Path, kind: Kind, key: str) -> None:
    row = BY_NAME[kind].get(key)
    if row is not None and row.declared:
        assert row.summary
        return
    image = 'image = "x:1"\n' if kind is Kind.CONTAINER else ""
    (tmp_path / "a.toml").write_text(f"[{kind.value}.web]\n{image}{key} = 1\n")
    with pytest.raises(SpecError) as raised:
        load(tmp_path, {})
    (problem,) = raised.value.problems
    assert problem.hint
    assert not problem.hint.startswith(("did you mean", "known are")), problem
