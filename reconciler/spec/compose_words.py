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
        "stop_timeout": "write stop_grace_period",
        "extends": "write it out, or give both containers the same env_file",
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
    "network": {
        "options": "write driver_opts",
        "subnet": 'write ipam = { config = [{ subnet = "..." }] }',
        "gateway": 'write ipam = { config = [{ subnet = "...", gateway = "..." }] }',
        "ip_range": 'write ipam = { config = [{ subnet = "...", ip_range = "..." }] }',
    },
    "volume": {"options": "write driver_opts"},
}

_WINDOWS = "it is about containers of Windows, and only engines of Linux are known here; leave it out"
_HOOK = "the engine has no such hook, and without Compose nobody would run it; put it into the image's entrypoint, or into a container of its own"

#: options of a Compose service that are not known here, and why
EXCLUDED: dict[str, str] = {
    "cpu_count": f"{_WINDOWS}, or write cpus",
    "cpu_percent": f"{_WINDOWS}, or write cpus",
    "credential_spec": _WINDOWS,
    "isolation": _WINDOWS,
    "models": "models are run by Docker Desktop, not by a Docker Engine; run one in a container, and name it in environment",
    "provider": "what a provider runs is no container of the engine; run the provider yourself",
    "pull_refresh_after": "an image is asked for when a plan is made; write pull_policy = 'always' in the image, or leave it out",
    "use_api_socket": "mount it: volumes = ['/var/run/docker.sock:/var/run/docker.sock'], which gives the container the host",
    "pre_start": _HOOK,
    "post_start": _HOOK,
    "pre_stop": f"{_HOOK}; for a clean end, see stop_signal and stop_grace_period",
}
