"""What is written from canonical values comes to the same values again."""

from __future__ import annotations

import pytest

from reconciler.convert.undeclare import undeclare
from reconciler.model.address import Kind
from reconciler.model.options import Option
from reconciler.model.rows import TABLE
from reconciler.spec.documents import example_of

ROWS = [row for row in TABLE[Kind.CONTAINER] if row.declared and row.path and row.name not in ("configs", "secrets")]
MORE = {
    "ports": [["80", "53:53/udp", "[::1]:8080:80", "127.0.0.1::81"]],
    "volumes": [["a:/a:ro", "/b:/b:z,rslave", "/c", {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 10, "mode": "1777"}}]],
    "devices": [["/dev/null", "/dev/null:/dev/x", "/dev/null:/dev/y:r", "/dev/zero:r"]],
    "healthcheck": [{"disable": True}, {"test": "true", "interval": "1m30s", "start_period": "500ms"}],
    "ulimits": [{"nofile": -1, "core": "0:0", "nproc": {"soft": 1, "hard": 2}}],
    "memswap_limit": [-1, "1.5G"],
    "expose": [["70-72", "80/udp"]],
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_way_back(row: Option) -> None:
    for written in [example_of(row), *MORE.get(row.name, [])]:
        value = row.form.declare(written)
        assert row.form.declare(undeclare(row.name, value)) == value
