"""What an engine is too old for is said in the words of the spec, with the version that has it."""

from __future__ import annotations

import pytest

from reconciler.model.address import Kind
from reconciler.model.observed import EngineFacts
from reconciler.model.rows import BY_NAME
from reconciler.planning.gates import missing


@pytest.mark.parametrize(
    ("option", "written", "note"),
    [
        ("annotations", {"a": "b"}, "annotations needs Engine 24.0 (API 1.43)"),
        ("healthcheck", {"start_interval": "1s"}, "healthcheck.start_interval needs Engine 25.0 (API 1.44)"),
        ("devices", ["vendor.com/gpu=0"], "devices: the CDI name vendor.com/gpu=0 needs Engine 25.0 (API 1.44)"),
        ("networks", {"n": {"gw_priority": 1}}, "networks.n.gw_priority needs Engine 28.0 (API 1.48)"),
        ("networks", {"n": {"interface_name": "a0"}}, "networks.n.interface_name needs Engine 28.1 (API 1.49)"),
        (
            "volumes",
            [{"type": "image", "source": "x", "target": "/i"}],
            'volumes./i: type = "image" needs Engine 28.0 (API 1.48)',
        ),
    ],
)
def test_what_is_too_new(option: str, written: object, note: str) -> None:
    config = {option: BY_NAME[Kind.CONTAINER][option].form.declare(written)}
    assert missing(Kind.CONTAINER, config, EngineFacts(api_version=(1, 41))) == f"{note}; this engine speaks 1.41"
    assert missing(Kind.CONTAINER, config, EngineFacts(api_version=(1, 51))) == ""
