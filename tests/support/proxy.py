"""A way to an engine that can be cut, as when the engine is stopped: its socket is gone, connections end."""

import socket
import threading
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Forwards a unix socket of its own to that of an engine."""

    def __init__(self, directory: Path, target: str) -> None:
        self.path = directory / "engine.sock"
        self._target = target.removeprefix("unix://")
        self._server: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.mend()

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def cut(self) -> None:
        assert self._server is not None
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.path.unlink()
        self.hang_up()

    def hang_up(self) -> None:
        """End the connections there are; new ones may come."""
        with self._lock:
            ended, self._open = self._open, set()
        for end in ended:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(64)
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self._target)
            except OSError:  # as when nobody listens
                near.close()
                far.close()
                continue
            with self._lock:
                self._open |= {near, far}
            self.join(near, far)

    def join(self, near: socket.socket, far: socket.socket) -> None:
        """Carry what comes on either to the other, both ways at the same time."""
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(content)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        self.drop(source)

    def drop(self, end: socket.socket) -> None:
        with self._lock:
            self._open.discard(end)
        end.close()
