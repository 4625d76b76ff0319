"""Options that people know from Compose or `docker run` and that are written otherwise here, or not there yet."""

from __future__ import annotations

#: by the table it was written in ("" for the top of the file): what to write instead
ELSEWHERE: dict[str, dict[str, str]] = {
    "": {
        "version": "leave it out: there are no versions of the format",
        "name": 'write [project] name = "..."',
        "services": "write [container.NAME] for each service",
        "service": "write [container.NAME]",
        "containers": "write [container.NAME]",
        "networks": "write [network.NAME]",
        "volumes": "write [volume.NAME]",
        "images": "write [image.NAME]",
        "secrets": "write [secret.NAME]",
        "configs": "write [config.NAME]",
        "include": "put the files side by side: all *.toml files of the directory are read",
    },
    "container": {
        "build": 'write [image.NAME] build = "./directory", and here image = "NAME"',
        "cmd": "write command",
        "env": "write environment",
        "port": "write ports",
        "memory": "write mem_limit",
        "memory_swap": "write memswap_limit",
        "workdir": "write working_dir",
        "name": "write container_name, or name the table [container.NAME]",
        "restart_policy": "write restart",
        "replicas": "write scale",
        "deploy": "write scale, cpus, mem_limit, restart and rollout in the container itself",
        "stop_timeout": "write stop_grace_period",
        "links": "put both containers into one network: each finds the other by name",
        "external_links": "put both containers into one network: each finds the other by name",
        "mac_address": "write networks = { NAME = { mac_address = '...' } }",
        "volumes_from": "name the volumes in both containers",
        "extends": "write it out, or give both containers the same env_file",
        "profiles": "put them into a project of their own",
        "develop": "mount the sources: volumes = ['./src:/app']",
    },
    "image": {
        "context": 'write build = { context = "./directory" }',
        "dockerfile": "write build = { context = ..., dockerfile = ... }",
        "args": "write build = { context = ..., args = { NAME = ... } }",
        "target": "write build = { context = ..., target = ... }",
        "image": "write reference to pull it, or tag and build to build it",
        "name": "write reference to pull it, or tag and build to build it",
    },
    "image.build": {
        "isolation": "leave it out: it is for containers of Windows",
        "cgroup_parent": "leave it out: the engine decides where it builds",
        "image": 'write tag = "..." beside build',
    },
    "network": {"options": "write driver_opts"},
    "volume": {"options": "write driver_opts"},
}

#: options of a Compose service that have no row yet
NOT_YET = frozenset(
    {
        "annotations", "attach", "blkio_config", "cgroup", "cgroup_parent", "cpu_count", "cpu_percent", "cpu_rt_period",
        "cpu_rt_runtime", "credential_spec", "device_cgroup_rules", "gpus", "isolation", "label_file", "mem_swappiness",
        "models", "oom_kill_disable", "oom_score_adj", "post_start", "pre_stop", "provider", "runtime", "storage_opt",
        "use_api_socket", "userns_mode", "uts",
    }
)  # fmt: skip
