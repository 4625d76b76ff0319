"""What an engine's refusal says of another try."""

import pytest

from reconciler.engine.refusals import refused


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, ""),
        (500, "RWLayer of container x is unexpectedly nil"),
        (502, "502 Bad Gateway nginx"),
        (429, "toomanyrequests: You have reached your pull rate limit"),
        (500, "toomanyrequests: You have reached your pull rate limit"),
        (500, 'Get "https://r.example/v2/": dial tcp 192.0.2.1:443: i/o timeout'),
        (500, 'Get "https://r.example/v2/": net/http: TLS handshake timeout'),
        (500, "read tcp 10.0.0.2:40000->192.0.2.1:443: read: connection reset by peer"),
        (500, "failed to register layer: write /x: no space left on device"),
        (500, "Error response from daemon: devicemapper: Error running deviceRemove: device or resource busy"),
        # What Docker Engine 20.10 writes around everything that keeps a process from being started:
        (
            400,
            "OCI runtime create failed: container_linux.go:367: starting container process caused: process_linux.go:340: applying cgroup configuration for process caused: resource temporarily unavailable: unknown",
        ),
        (409, "removal of container x is already in progress"),
        (500, "failed to mount local volume: mount :/x:/y, flags: 0x0, data: addr=192.0.2.9: connection timed out"),
    ],
)
def test_what_may_pass(status: int, message: str) -> None:
    assert refused("start container x", status, message).may_pass


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "invalid mount config"),
        (403, "forbidden"),
        (404, "No such image: x"),
        (409, "Conflict. The container name is in use"),
        (500, "Bind for 0.0.0.0:80 failed: port is already allocated"),
        (500, "listen tcp4 0.0.0.0:80: bind: address already in use"),
        (500, "unknown or invalid runtime name: x"),
        (500, "OCI runtime create failed: runc create failed: unable to start container process: permission denied"),
        (500, "failed to create task for container: failed to create shim task: exit status 1"),
        (500, "crun: cannot set sysctl: No such file or directory: OCI runtime attempted to invoke a command"),
        (500, "error gathering device information while adding custom device: no such file or directory"),
        (500, "failed to initialize logging driver: dial unix /dev/log: no such file"),
        (500, "manifest unknown"),
    ],
)
def test_what_is_a_verdict(status: int, message: str) -> None:
    assert not refused("start container x", status, message).may_pass


def test_the_trouble_of_the_host_is_not_blamed_on_the_command() -> None:
    message = "OCI runtime create failed: starting container process caused: device or resource busy: unknown"
    assert "short of something" in refused("start container x", 500, message).hint
