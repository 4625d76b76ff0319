"""`security_opt` with a profile of seccomp: the engine is given what is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource
from reconciler.spec.load import load


def declared(directory: Path, options: str) -> tuple[object, tuple[str, ...]]:
    spec = directory / "spec.toml"
    spec.write_text(f'[project]\nname = "p"\n[container.a]\nimage = "x"\nsecurity_opt = {options}\n')
    state = load(spec, {})
    resource = state.resources[Address(Kind.CONTAINER, "a")]
    assert isinstance(resource, ContainerResource)
    return resource.config["security_opt"], state.reads


@pytest.mark.parametrize("mark", ["=", ":"])
def test_a_profile_is_what_is_in_its_file(tmp_path: Path, mark: str) -> None:
    """In one form: to lay the file out otherwise is no change. It is watched like other files that are read."""
    (tmp_path / "profile.json").write_text('{\n  "syscalls": [],\n  "defaultAction": "SCMP_ACT_ALLOW"\n}\n')
    options, reads = declared(tmp_path, f'["seccomp{mark}./profile.json", "apparmor=x"]')
    assert options == ("apparmor=x", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}')
    assert str(tmp_path / "profile.json") in reads


def test_what_is_no_file(tmp_path: Path) -> None:
    written = ["seccomp=unconfined", "no-new-privileges", "systempaths=unconfined", 'seccomp={"a": 1}']
    options, _ = declared(tmp_path, str(written))
    assert options == ("no-new-privileges", "seccomp=unconfined", 'seccomp={"a":1}', "systempaths=unconfined")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file ./p cannot be read"),
        ("#!", "does not hold a JSON object"),
        ("[1]", "does not hold a JSON object"),
    ],
)
def test_a_profile_that_is_none(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "p").write_text(content)
    with pytest.raises(SpecError, match=r"spec\.toml:5:1: container\.a\.security_opt: ") as refused:
        declared(tmp_path, '["seccomp=./p"]')
    assert message in str(refused.value)
