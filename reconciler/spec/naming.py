"""Names: what projects, resources and engine objects may be called."""

from __future__ import annotations

import re

from reconciler.model.address import Kind

MAX_LENGTH = 120
RESERVED = (".next", ".prev")

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_RESOURCE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
# Networks may have a name of one character, containers and volumes may not.
_OBJECT = {kind: re.compile(rf"[a-zA-Z0-9][a-zA-Z0-9_.-]{'*' if kind is Kind.NETWORK else '+'}") for kind in Kind}
_PREDEFINED = ("bridge", "host", "none", "default")

_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PATH = r"[a-z0-9]+(?:(?:\.|__|_|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_PATH}(?:/{_PATH})*(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?P<digest>@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,128})?"
)
_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")


def default_project(directory: str) -> str:
    """The project's name after its directory, as Compose makes it; "" when nothing of that can be kept."""
    return re.sub(r"[^a-z0-9_-]", "", directory.lower()).lstrip("_-")


def wrong_project(name: str) -> str:
    """Why a project cannot be called so; "" when it can."""
    if len(name) > MAX_LENGTH or not _PROJECT.fullmatch(name):
        return f"{name!r} is not a project name: lower-case letters, digits, '-' and '_', a letter or digit first"
    return ""


def wrong_resource(name: str) -> str:
    """Why a resource cannot be called so; "" when it can."""
    if len(name) > MAX_LENGTH or not _RESOURCE.fullmatch(name):
        return f"{name[:140]!r} is not a name: letters, digits, '-', '_' and '.', a letter or digit first, at most {MAX_LENGTH}"
    return _reserved(name)


def wrong_object(kind: Kind, name: str) -> str:
    """Why an object on the engine cannot be called so; "" when it can."""
    if len(name) > 255 or not _OBJECT[kind].fullmatch(name):
        shortest = "" if kind is Kind.NETWORK else "two or more of "
        return f"{name[:260]!r} is not a name an engine takes: {shortest}letters, digits, '-', '_' and '.', a letter or digit first"
    return _reserved(name)


def is_predefined(network: str) -> bool:
    """Whether an engine has this network of itself: it can be joined, not made."""
    return network in _PREDEFINED


def _reserved(name: str) -> str:
    if name.endswith(RESERVED):
        return f"{name!r} ends in '{name[-5:]}', which marks the two sides of a replacement"
    return ""


def wrong_reference(reference: str, *, is_tag: bool = False) -> str:
    """Why no image can be referred to (or, with `is_tag`, be called) so; "" when it can."""
    if _IMAGE_ID.fullmatch(reference):
        return f"{reference[:19]}... is the id of an image, which no registry knows"
    match = _REFERENCE.fullmatch(reference) if len(reference) <= 512 else None
    if match is None:
        return f"{reference[:140]!r} is not an image reference: [registry/]name[:tag][@digest], the name in lower case"
    if is_tag and match["digest"]:
        return f"{reference!r} holds a digest; what is built has a name and a tag"
    return ""
