"""A connected stream socket to an engine, whatever the way: unix socket, tcp, TLS, or through `ssh`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from reconciler.engine.endpoint import Endpoint, TlsFiles

if TYPE_CHECKING:
    import ssl


def dial(endpoint: Endpoint, timeout: float | None) -> socket.socket:
    """Connect within `timeout` seconds, which then also bounds each read and write.

    Raises:
        OSError: no connection; `ssl.SSLError` and `socket.gaierror` are kinds of it.
    """
    if endpoint.scheme == "ssh":
        return _dial_ssh(endpoint, timeout)
    if endpoint.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(endpoint.target)
        except OSError:
            connection.close()
            raise
        return connection
    connection = socket.create_connection((endpoint.target, endpoint.port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Waits for an engine that is busy can be long; without probes a firewall forgets the connection meanwhile.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if endpoint.tls is None:
        return connection
    try:
        return tls_context(endpoint.tls).wrap_socket(connection, server_hostname=endpoint.target)
    except OSError:
        connection.close()
        raise


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Raises OSError when a file cannot be read or is not what its name says."""
    import ssl

    context = ssl.create_default_context(cafile=files.ca or None)
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if files.certificate and files.key:
        context.load_cert_chain(files.certificate, files.key)
    return context


def _dial_ssh(endpoint: Endpoint, timeout: float | None) -> socket.socket:
    """One end of a socket pair whose other end is the standard input and output of `ssh`.

    As Docker's own client does it: the user's configuration, agent and known hosts apply, and the far host needs its
    `docker` program. The SDK's way has pipes without timeouts, and needs paramiko even then.
    """
    import subprocess
    import threading

    ours, theirs = socket.socketpair()
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={int(timeout or 30)}"]
    command += ["-p", str(endpoint.port)] if endpoint.port else []
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words, and the name cannot begin with a dash
            [*command, "--", endpoint.target, "docker system dial-stdio"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            # Its complaints (host key, permission denied) are what the user needs to see.
            stderr=None,
            # An interrupt at the terminal is for us: what is under way is finished first.
            start_new_session=True,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    # It ends when our end is closed; somebody must collect it.
    threading.Thread(target=process.wait, daemon=True, name="ssh").start()
    ours.settimeout(timeout)
    return ours
