"""What the service manager hears."""

import os
import socket
from pathlib import Path

import pytest

from reconciler.service.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_messages(tmp_path: Path, abstract: bool) -> None:
    name = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        listener.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7)
        assert notifier.watchdog == 3.0
        notifier.ready()
        notifier.status("one\nline")
        notifier.status("one line")
        notifier.reloading()
        notifier.needs_longer(1.5)
        notifier.alive()
        notifier.stopping()
        heard = [listener.recv(4096).decode() for _ in range(6)]
    assert heard[:2] == ["READY=1", "STATUS=one line"]
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[3:] == ["EXTEND_TIMEOUT_USEC=1500000", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "3", "WATCHDOG_PID": "8"}, {"WATCHDOG_USEC": "0"}]
)
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier(environment, 7)
    notifier.ready()
    assert notifier.watchdog is None


def test_a_listener_that_has_gone_is_no_reason_to_stop(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}, 1).ready()


def test_who_waits_for_a_reload_is_answered_in_one_line(tmp_path: Path) -> None:
    notifier = Notifier({"RUNTIME_DIRECTORY": f"{tmp_path}:/run/more"}, 1)
    notifier.reloaded("")  # nobody asked
    os.mkfifo(tmp_path / "reload")
    notifier.reloaded("")  # nobody waits any more
    pipe = os.open(tmp_path / "reload", os.O_RDWR | os.O_NONBLOCK)
    try:
        notifier.reloaded("")
        notifier.reloaded("config.toml:1: wrong\n    hint: write it right" + "x" * 10_000)
        assert os.read(pipe, 65_536).startswith(b"\nconfig.toml:1: wrong hint: write it rightxxx")
    finally:
        os.close(pipe)


def test_what_is_no_pipe_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "reload").write_text("mine")
    Notifier({"RUNTIME_DIRECTORY": str(tmp_path)}, 1).reloaded("wrong")
    assert (tmp_path / "reload").read_text() == "mine"
