"""Two different values for every option that stands on an object, as TOML; a test checks that none is missing."""

from typing import NamedTuple


class Example(NamedTuple):
    """`first` and `second` are the option's value; `also` what it cannot be without; `moves` other fields it moves.

    `replaces`: this change of it takes more than others. `lacks` is what an engine says whose kernel or drivers cannot have it: then the change fails with these words.
    """

    first: str
    second: str
    also: str = ""
    moves: tuple[str, ...] = ()
    lacks: str = ""
    replaces: bool = False


CONTAINER = {
    "image": Example('"{other}"', '"{third}"'),
    "command": Example('["sh", "-c", "trap exit TERM; sleep 1 & while :; do wait; sleep 0.1; done"]', '["sh", "-c", "trap exit TERM; while :; do sleep 0.2; done"]'),
    "entrypoint": Example('["sh", "-c"]', '["/bin/sh", "-c"]', moves=("command",)),
    "environment": Example('{ LEVEL = "info", EMPTY = "" }', '["LEVEL=debug", "MORE=a=b"]'),
    "labels": Example('{ team = "shop", "a.b" = "1" }', '["team=web"]'),
    "annotations": Example('{ "com.example.policy" = "strict" }', '["com.example.policy=open", "com.example.more=1"]'),
    "user": Example('"1000:1000"', '"1000"'),
    "working_dir": Example('"/tmp/"', '"/bin"'),
    "hostname": Example('"db"', '"db2"'),
    "domainname": Example('"example.test"', '"other.test"'),
    "expose": Example('["3000", "53/udp", "8000-8001"]', "[3000]"),
    "healthcheck": Example('{ test = "true", interval = "1s", retries = 2 }', '{ test = ["CMD", "true"], interval = "1500ms", timeout = "5s", start_period = "10s" }'),
    "stop_signal": Example('"SIGTERM"', '"15"', moves=()),
    "stop_grace_period": Example('"3s"', '"1m"'),
    "tty": Example("true", "false"),
    "stdin_open": Example("true", "false"),
    "cpus": Example("0.5", '"0.25"'),
    "cpu_shares": Example("512", "256"),
    "cpu_period": Example("50000", "100000"),
    "cpu_quota": Example("25000", "50000"),
    "cpuset": Example('"0"', '"0,1"'),
    "cpu_rt_period": Example("1000000", '"500ms"', lacks="(?i)real-?time"),
    "cpu_rt_runtime": Example("950", '"1ms"', also="cpu_rt_period = 1000000", lacks="(?i)real-?time|rt_runtime"),
    "mem_limit": Example('"64m"', "134217728", moves=("memswap_limit",)),
    "mem_reservation": Example('"32M"', '"16m"'),
    "memswap_limit": Example('"96M"', "-1", also='mem_limit = "64M"'),
    "mem_swappiness": Example("10", "0", lacks="(?i)swappiness"),
    "oom_kill_disable": Example("true", "false", also='mem_limit = "64M"', lacks="(?i)oom"),
    "oom_score_adj": Example("500", "800"),
    "pids_limit": Example("50", "100"),
    "shm_size": Example('"32M"', '"1g"'),
    "ulimits": Example("{ nofile = 1024 }", "{ nofile = { soft = 512, hard = 1024 }, nproc = 100 }"),
    "devices": Example('["/dev/null:/dev/one"]', '["/dev/zero:/dev/one:r", { source = "/dev/null", permissions = "rw" }]'),
    "gpus": Example('"all"', '[{ driver = "nvidia", count = 1 }]', lacks="could not select device driver"),
    "device_cgroup_rules": Example('["c 1:3 mr"]', '["c 1:3  mr", "c 1:5 rwm"]'),
    "blkio_config": Example('{ device_read_bps = [{ path = "{disk}", rate = "12M" }] }', '{ device_write_iops = [{ path = "{disk}", rate = 30 }], device_read_bps = [{ path = "{disk}", rate = "1g" }] }', replaces=True),
    "cgroup_parent": Example('"/{project}-one"', '"/{project}-two"'),
    "storage_opt": Example('{ size = "1G" }', '{ size = "2G" }', lacks="storage-opt"),
    "read_only": Example("true", "false"),
    "init": Example("true", "false"),
    "privileged": Example("true", "false"),
    "cap_add": Example('["net_admin"]', '["CAP_NET_RAW", "NET_ADMIN"]'),
    "cap_drop": Example('["MKNOD"]', '["mknod", "CAP_CHOWN"]'),
    "security_opt": Example('["no-new-privileges:true"]', '["seccomp=unconfined"]'),
    "group_add": Example('["nogroup"]', '["nogroup", "1000"]'),
    "sysctls": Example('{ "net.core.somaxconn" = 1024 }', '["net.core.somaxconn=512"]'),
    "pid": Example('"host"', '"host"'),
    "ipc": Example('"shareable"', '"host"'),
    "uts": Example('"host"', '"host"', moves=("hostname",)),
    "userns_mode": Example('"host"', '"host"'),
    "cgroup": Example('"private"', '"host"'),
    "runtime": Example('"io.containerd.runc.v2"', '"io.containerd.runc.v2"'),
    "restart": Example('"unless-stopped"', '"on-failure:3"'),
    "logging": Example('{ driver = "json-file", options = { max-size = "1m" } }', '{ driver = "json-file", options = { max-size = "2m", max-file = "3" } }'),
    "container_name": Example('"{project}-one"', '"{project}-two"'),
    "ports": Example('["127.0.0.1:{port}:80"]', '["127.0.0.1:{port}:80", "127.0.0.1:{port}:53/udp"]', moves=("expose",)),
    "networks": Example('{ default = { aliases = ["a.internal"] } }', '{ default = {}, side = { aliases = ["b"] } }'),
    "network_mode": Example('"none"', '"host"', moves=("networks",)),
    "dns": Example('["9.9.9.9"]', '["1.1.1.1", "9.9.9.9"]'),
    "dns_search": Example('["example.test"]', '"other.test"'),
    "dns_opt": Example('["use-vc"]', '["use-vc", "no-tld-query"]'),
    "extra_hosts": Example('["db.test:10.0.0.5"]', '{ "db.test" = "10.0.0.6", "v6.test" = "::1" }'),
    "volumes": Example('["data:/data", "./conf:/conf:ro", "/anonymous"]', '[{ type = "volume", source = "data", target = "/data", read_only = true }, { type = "tmpfs", target = "/fleeting", tmpfs = { size = "1m" } }]'),
    "configs": Example('[{ source = "motd", target = "/etc/app/motd" }]', '[{ source = "motd", target = "/etc/motd", mode = "0440", uid = 5 }, { source = "other", target = "/etc/app/other", on_change = "restart" }]'),
    "secrets": Example('["key"]', '[{ source = "key", target = "other", on_change = "restart" }]'),
    "volumes_from": Example('["donor:ro"]', '["donor"]'),
    "tmpfs": Example('["/scratch:size=64k"]', '["/scratch:size=128k,mode=1777", "/more"]'),
}  # fmt: skip

NETWORK = {
    "driver": Example('"bridge"', '"macvlan"', also='driver_opts = { parent = "{parent}" }'),
    "driver_opts": Example('{ "com.docker.network.bridge.enable_icc" = "true" }', '{ "com.docker.network.bridge.enable_icc" = "false" }'),
    "internal": Example("true", "false"),
    "attachable": Example("true", "false"),
    "enable_ipv4": Example("true", "false", also='enable_ipv6 = true\nipam = { config = [{ subnet = "fd00:{hex}::/64" }] }'),
    "enable_ipv6": Example("true", "false", also='ipam = { config = [{ subnet = "fd00:{hex}::/64" }] }'),
    "ipam": Example('{ config = [{ subnet = "10.{octet}.1.0/24", gateway = "10.{octet}.1.1" }] }', '{ config = [{ subnet = "10.{octet}.2.0/24", ip_range = "10.{octet}.2.128/25" }] }'),
    "labels": Example('{ team = "shop" }', '["team=web"]'),
    "name": Example('"{project}-one"', '"{project}-two"'),
}  # fmt: skip

VOLUME = {
    "driver": Example('"local"', '"local"'),
    "driver_opts": Example('{ type = "tmpfs", device = "tmpfs", o = "size=1m" }', '{ type = "tmpfs", device = "tmpfs", o = "size=2m" }'),
    "labels": Example('{ team = "shop" }', '["team=web"]'),
    "name": Example('"{project}-one"', '"{project}-two"'),
}  # fmt: skip
