"""The JSON Schema, and that the option table can be trusted where it is shown to people."""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest

from reconciler.model.address import Kind
from reconciler.model.options import Cost, Option
from reconciler.model.rows import TABLE
from reconciler.spec.documents import MODELS, PROJECT, describe, example_of
from reconciler.spec.keys import Keys
from reconciler.spec.load import load
from reconciler.spec.scalars import expected_type
from reconciler.spec.schema import json_schema
from reconciler.spec.toml_types import Table

ROWS = [(kind, row) for kind, rows in TABLE.items() for row in rows if row.declared]
SCHEMA = json_schema()

# What the examples of the table refer to.
AROUND = """
[volume.data]
[network.backend]
[container.db]
image = "x:1"
[config.motd]
content = "Welcome."
[secret.db_password]
content = "x"
"""
MINIMAL = {Kind.IMAGE: 'reference = "x:1"\n', Kind.CONTAINER: 'image = "x:1"\n', Kind.NETWORK: "", Kind.VOLUME: ""}
INSTEAD = {
    "build": "",
    "tag": 'build = "."\n',
    "reference": "",
    "image": "",
    "watch": MINIMAL[Kind.CONTAINER] + 'volumes = ["./conf:/conf"]\n',
    "memswap_limit": MINIMAL[Kind.CONTAINER] + 'mem_limit = "256M"\n',
}


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind.value}.{row.name}" for kind, row in ROWS])
def test_every_example_is_a_valid_spec(tmp_path: Path, kind: Kind, row: Option) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "conf").mkdir()
    for file in ("Dockerfile", "api/Dockerfile", ".env.api", "labels.env"):
        (tmp_path / file).touch()
    table = f"[{kind.value}.example]\n{INSTEAD.get(row.name, MINIMAL[kind])}{row.name} = {row.example}\n"
    (tmp_path / "a.toml").write_text(table + (AROUND if kind is Kind.CONTAINER else ""))
    state = load(tmp_path, {"RECONCILER_PROFILES": "debug"})
    resources = [resource for address, resource in state.resources.items() if address.name == "example"]
    assert resources
    if row.cost is not Cost.NOTHING and row.name not in ("container_name", "image"):
        assert all(row.name in getattr(resource, "config", {}) for resource in resources)


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind.value}.{row.name}" for kind, row in ROWS])
def test_every_option_is_described(kind: Kind, row: Option) -> None:
    option = SCHEMA["$defs"][kind.value.capitalize()]["properties"][row.name]
    assert option["description"] == describe(row)
    assert option["description"].endswith(".")
    assert option["examples"] == [example_of(row)]
    assert row.unit in option["description"]


def options_of(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        properties = node.get("properties")
        yield from properties.items() if isinstance(properties, dict) and "type" in node else ()
        for item in node.values():
            yield from options_of(item)


def test_nested_options_are_described_too() -> None:
    found = list(options_of(SCHEMA))
    assert len(found) > 120
    for name, option in found:
        assert option.get("description"), name
        assert option.get("examples"), name


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from references(item)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_the_schema_is_whole() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"].endswith("2020-12/schema")
    assert sorted(SCHEMA["properties"]) == ["config", "container", "image", "network", "project", "secret", "volume"]
    for reference in references(SCHEMA):
        assert reference.removeprefix("#/$defs/") in SCHEMA["$defs"]
    container = SCHEMA["$defs"]["Container"]
    assert container["required"] == ["image"]
    assert container["additionalProperties"] is False
    assert "default" not in json.dumps(container["properties"]["command"])
    assert SCHEMA["properties"]["container"]["additionalProperties"] is False


def test_numbers_and_booleans_may_be_references() -> None:
    scale = SCHEMA["$defs"]["Container"]["properties"]["scale"]
    assert [choice["type"] for choice in scale["anyOf"]] == ["integer", "string"]
    assert "oneOf" not in json.dumps(SCHEMA)


def scalar_fields(annotation: Any, keys: Keys) -> Iterator[tuple[Keys, type]]:
    """The places below a type where only a number or only a boolean may stand."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if annotation in (bool, int, float):
        yield keys, annotation
    elif isinstance(annotation, type) and issubclass(annotation, Table):
        for name, field in annotation.model_fields.items():
            yield from scalar_fields(field.annotation, (*keys, name))
    elif get_origin(annotation) is list:
        yield from scalar_fields(get_args(annotation)[0], (*keys, 0))
    elif get_origin(annotation) is dict:
        yield from scalar_fields(get_args(annotation)[1], (*keys, "name"))
    elif (members := get_args(annotation)) and (
        isinstance(annotation, types.UnionType) or "Union" in str(get_origin(annotation))
    ):
        plain = [get_args(member)[0] if get_origin(member) is Annotated else member for member in members]
        if str not in plain:
            for member in plain:
                yield from scalar_fields(member, keys)
        else:
            for member in plain:
                if member not in (bool, int, float):
                    yield from scalar_fields(member, keys)


def test_variables_work_wherever_a_number_or_boolean_stands() -> None:
    places = [
        (keys, kind)
        for section, model in MODELS.items()
        for keys, kind in scalar_fields(model, (section.value, "name"))
    ]
    places += list(scalar_fields(PROJECT, ("project",)))
    assert len(places) > 30
    for keys, kind in places:
        assert expected_type(keys) is kind, keys
