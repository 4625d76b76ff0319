"""In which container we run, as different engines and kernels show it."""

from pathlib import Path

import pytest

from reconciler.engine.itself import boot_of, own_container

OURS, OTHER = "a" * 12 + "0" * 52, "b" * 64
HOST = "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


def mounted(container_id: str, place: str = "/etc/hostname") -> str:
    root = f"/var/lib/docker/containers/{container_id}/hostname"
    return f"{HOST}642 600 8:1 {root} {place} rw,relatime - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "hostname", "found"),
    [
        (f"12:cpu:/docker/{OURS}\n", "", "shop", OURS),
        (f"0::/system.slice/docker-{OURS}.scope\n", "", "shop", OURS),
        (f"0::/docker/{OTHER}/docker/{OURS}\n", "", "shop", OURS),  # an engine in a container
        ("0::/\n", mounted(OURS), "shop", OURS),  # a cgroup namespace of its own
        ("0::/\n", mounted(OURS, "/etc/resolv.conf"), "shop", OURS),
        ("0::/\n", "", OURS[:12], OURS),  # Podman without the files, or a chroot
        ("0::/init.scope\n", HOST, "shop", ""),
        # The host sees the mounts of every container, and is none.
        ("0::/init.scope\n", mounted(OURS, f"/var/lib/docker/containers/{OURS}/mounts/shm"), "shop", ""),
        (f"0::/docker/{'c' * 64}\n", mounted("c" * 64), "c" * 12, ""),  # a container of another engine
        ("0::/\n", "", "aaaa", ""),
        ("", "", "", ""),
    ],
)
def test_which_one_it_is(cgroup: str, mountinfo: str, hostname: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(cgroup)
    (tmp_path / "self" / "mountinfo").write_text(mountinfo)
    assert own_container([OTHER, OURS], {}, tmp_path, hostname or "host") == found


LAYERS = {OTHER: "/var/lib/docker/overlay2/other/diff", OURS: "/var/lib/docker/overlay2/ours/diff"}


def root(upper: str, place: str = "/") -> str:
    return f"500 400 0:52 / {place} rw,relatime - overlay overlay rw,lowerdir=l/A:l/B,upperdir={upper},workdir=w\n"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "found"),
    [
        ("0::/\n", root(LAYERS[OURS]), OURS),
        ("0::/\n", root("ours/diff"), OURS),  # so many layers that the engine names them from its directory
        ("0::/\n", root(LAYERS[OURS]) + mounted(OTHER), OURS),  # on another one's network, with its files
        (f"0::/docker/{OTHER}\n", root(LAYERS[OURS]), OTHER),  # what the kernel says wins
        ("0::/\n", root(LAYERS[OURS], "/var/lib/docker/overlay2/ours/merged") + HOST, ""),  # the host sees all of them
        ("0::/\n", root("/somewhere/else/diff"), ""),
    ],
)
def test_by_its_layers(cgroup: str, mountinfo: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(cgroup)
    (tmp_path / "self" / "mountinfo").write_text(mountinfo)
    assert own_container([OTHER, OURS], LAYERS, tmp_path, "host") == found
    assert own_container([OTHER, OURS], {OTHER: "", OURS: ""}, tmp_path, "host") in ("", OTHER)


def test_which_boot(tmp_path: Path) -> None:
    """The service, to whom systemd says it, and a person, to whom the kernel does, mean the same one."""
    said = {"RECONCILER_BOOT_ID": "d1df3a6c90f94dc6a4eb2a0bcd7a3fd5"}
    assert boot_of(said, tmp_path) == said["RECONCILER_BOOT_ID"]
    assert boot_of({}, tmp_path) == ""
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("d1df3a6c-90f9-4dc6-a4eb-2a0bcd7a3fd5\n")
    assert boot_of({}, tmp_path) == said["RECONCILER_BOOT_ID"]


def test_without_proc(tmp_path: Path) -> None:
    assert own_container([OURS], {}, tmp_path, "host") == ""
    assert own_container([OURS]) == ""
