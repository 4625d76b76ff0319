"""The JSON Schema of a spec file, for completion and checks in an editor (taplo, Even Better TOML)."""

from __future__ import annotations

from typing import Any

from reconciler.spec.documents import SPEC

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"
_SECTIONS = ("image", "container", "network", "volume", "config", "secret")
# Where TOML has a number or a boolean, a text may stand that holds a reference to a variable.
_REFERENCE = {"type": "string", "pattern": r"\$", "description": "A reference to a variable, such as ${NAME}."}


def json_schema() -> dict[str, Any]:
    """The schema of a whole file, JSON Schema 2020-12: every option with its description, unit and an example."""
    schema: dict[str, Any] = _tidy(SPEC.model_json_schema())
    for section in _SECTIONS:
        tables = schema["properties"][section]
        tables["patternProperties"] = {_NAME: tables.pop("additionalProperties")}
        tables["additionalProperties"] = False
    return {"$schema": DIALECT, "title": "A spec of reconciler", **schema}


def _tidy(node: Any) -> Any:
    """Without the titles and defaults that only repeat what is known, and with references to variables allowed."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: item if key in ("examples", "enum") else _tidy(item) for key, item in node.items()}
    if "oneOf" in tidy:
        # A reference may be meant by more than one of them.
        tidy["anyOf"] = tidy.pop("oneOf")
    if isinstance(tidy.get("title"), str):
        del tidy["title"]
    if "default" in tidy and tidy["default"] is None:
        del tidy["default"]
    if tidy.get("type") in ("boolean", "integer", "number") or "enum" in tidy:
        return _or_reference(tidy)
    return tidy


def _or_reference(node: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {key: node.pop(key) for key in ("description", "examples") if key in node}
    return said | {"anyOf": [node, _REFERENCE]}
