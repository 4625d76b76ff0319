"""In which container we run, as different engines and kernels show it."""

from pathlib import Path

import pytest

from reconciler.engine.itself import own_container

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
    assert own_container([OTHER, OURS], tmp_path, hostname or "host") == found


def test_without_proc(tmp_path: Path) -> None:
    assert own_container([OURS], tmp_path, "host") == ""
    assert own_container([OURS]) == ""
