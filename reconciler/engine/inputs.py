"""What the builds of a project read: each one's files, and each other's images. It decides what is built anew, and when.

An image that begins with another one of the project, or copies from it, is built after it, and again when that one was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.engine.context import digest, read_dockerfile
from reconciler.engine.dockerfile import base_images
from reconciler.errors import Problem, SpecError
from reconciler.model.address import Address
from reconciler.model.desired import IMAGE_CONTEXT, DesiredState, ImageResource
from reconciler.model.observed import normal_reference


def with_content(desired: DesiredState, cache: Path | None) -> DesiredState:
    """The same, with all that each build will read hashed, and what it is built from named.

    Args:
        cache: where hashes of files are kept between runs; None keeps none.

    Raises:
        SpecError: a context cannot be read, or images are built from each other.
    """
    builds = {image.address: image for image in desired.images() if image.build is not None}
    if not builds:
        return desired
    named = {
        normal_reference(tag): image.address for image in builds.values() for tag in (image.reference, *image.tags)
    }
    sources = {address: _sources(image, named) for address, image in builds.items()}
    resources = dict(desired.resources)
    for address in _in_order(sources):
        image = builds[address]
        assert image.build is not None
        build = image.build._replace(sources={other: _content(resources[other]) for other in sources[address]})
        resources[address] = image._replace(build=build, content=digest(build, cache))
    return desired._replace(resources=resources)


def _sources(image: ImageResource, named: Mapping[str, Address]) -> tuple[Address, ...]:
    """The images of the project that this one begins with or copies from."""
    build = image.build
    assert build is not None
    images = [text.removeprefix(IMAGE_CONTEXT) for text in build.contexts.values() if text.startswith(IMAGE_CONTEXT)]
    if len(named) > 1:  # alone it can only be built from what it was before, or from strangers
        images += [name for name in base_images(read_dockerfile(build), build.args) if name not in build.contexts]
    references = {normal_reference(name) for name in images}
    found = {address for reference, address in named.items() if reference in references and address != image.address}
    return tuple(sorted(found, key=lambda address: address.sort_key))


def _in_order(sources: Mapping[Address, tuple[Address, ...]]) -> list[Address]:
    """Each behind all that it is built from."""
    order: dict[Address, None] = {}

    def visit(address: Address, path: tuple[Address, ...]) -> None:
        if address in path:
            cycle = " -> ".join(str(item) for item in (*path[path.index(address) :], address))
            raise SpecError(
                [Problem("", 0, 0, "", f"images are built from each other: {cycle}", "let one of them begin elsewhere")]
            )
        if address not in order:
            for other in sources[address]:
                visit(other, (*path, address))
            order[address] = None

    for address in sources:
        visit(address, ())
    return list(order)


def _content(resource: object) -> str:
    return resource.content if isinstance(resource, ImageResource) else ""
