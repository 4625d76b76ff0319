"""Images: those that are declared, and those that only a container names."""

from __future__ import annotations

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ImageResource, Origin, PullPolicy
from reconciler.model.observed import normal_reference
from reconciler.spec.builds import resolve_build, resolve_tags
from reconciler.spec.contents import Contents
from reconciler.spec.keys import Keys
from reconciler.spec.naming import wrong_reference
from reconciler.spec.scope import Scope, Table

_STRICTEST = (PullPolicy.NEVER, PullPolicy.MISSING, PullPolicy.ALWAYS)


class Images:
    """The images of a project, by address, and how containers find them."""

    def __init__(self, scope: Scope, contents: Contents) -> None:
        self.scope = scope
        self.resources: dict[Address, ImageResource] = {}
        self._by_reference: dict[str, Address] = {}
        for name, table in scope.tables(Kind.IMAGE).items():
            image = _declared(scope, contents, name, table)
            if image is not None:
                self._add(image)

    def _add(self, image: ImageResource) -> None:
        for tag in (image.reference, *image.tags):
            other = self._by_reference.setdefault(normal_reference(tag), image.address)
            if other != image.address:
                keys = (Kind.IMAGE.value, image.address.name)
                self.scope.problems.at(
                    keys, f"image.{other.name} is called {tag!r} too", "give one of them another tag"
                )
                return
        self.resources[image.address] = image

    def of_container(self, name: str, table: Table) -> Address | None:
        """The address of a container's image, which is added when nothing declares it; None after a complaint."""
        reference, keys = table.get("image"), (Kind.CONTAINER.value, name, "image")
        if reference is None:
            return None
        if reference in self.scope.tables(Kind.IMAGE):
            self._refuse_pull_policy(name, table, reference)
            return Address(Kind.IMAGE, reference)
        wrong = wrong_reference(reference)
        if wrong:
            self.scope.problems.at(keys, wrong)
            return None
        declared = self._by_reference.get(normal_reference(reference))
        if declared is not None and declared in self.resources and not self.resources[declared].implied:
            self._refuse_pull_policy(name, table, declared.name)
            return declared
        if self._is_misspelt(reference, keys):
            return None
        return self._implied(name, table, reference)

    def of_mount(self, keys: Keys, source: str) -> Address | None:
        """The address of an image that is mounted, which is added when nothing declares it; None after a complaint."""
        if source in self.scope.tables(Kind.IMAGE):
            return Address(Kind.IMAGE, source)
        wrong = wrong_reference(source)
        if wrong:
            self.scope.problems.at(keys, wrong)
        if wrong or self._is_misspelt(source, keys):
            return None
        return self._by_reference.get(normal_reference(source)) or self._implied(str(keys[1]), {}, source)

    def reference(self, address: Address) -> str:
        """What the engine calls an image."""
        image = self.resources.get(address)
        return address.name if image is None else image.reference

    def _refuse_pull_policy(self, name: str, table: Table, image: str) -> None:
        if "pull_policy" in table:
            keys = (Kind.CONTAINER.value, name, "pull_policy")
            self.scope.problems.at(
                keys, f"the image '{image}' is declared here and has its own", f"write it in [image.{image}]"
            )

    def _is_misspelt(self, reference: str, keys: Keys) -> bool:
        """Whether a bare name looks like a declared image: pulling a stranger's image for it would be a trap."""
        declared = self.scope.tables(Kind.IMAGE)
        if not declared or any(mark in reference for mark in "/:@"):
            return False
        import difflib

        meant = difflib.get_close_matches(reference, declared, n=1, cutoff=0.8)
        if meant:
            hint = f"did you mean '{meant[0]}'? If not, write '{reference}:latest'"
            self.scope.problems.at(keys, f"there is no image '{reference}'", hint)
        return bool(meant)

    def _implied(self, name: str, table: Table, reference: str) -> Address:
        address = Address(Kind.IMAGE, reference)
        policy, platform = pull_policy(table.get("pull_policy", "missing")), table.get("platform", "")
        origin = Origin(self.scope.origin(Kind.CONTAINER, name).file, (Kind.CONTAINER.value, name, "image"))
        known = self.resources.get(address)
        if known is not None:
            if platform and known.platform and known.platform != platform:
                message = f"{reference!r} is wanted for {platform} and for {known.platform}"
                hint = "an engine holds one of them under a name; refer to one by its digest"
                self.scope.problems.at((Kind.CONTAINER.value, name, "platform"), message, hint)
            policy = max(policy, known.pull_policy, key=_STRICTEST.index)
            platform, origin = known.platform or platform, known.origin
        self.resources[address] = ImageResource(address, reference, None, policy, platform, implied=True, origin=origin)
        return address


def pull_policy(text: str) -> PullPolicy:
    """The policy; Compose's `if_not_present` is `missing`."""
    return PullPolicy.MISSING if text == "if_not_present" else PullPolicy(text)


def _declared(scope: Scope, contents: Contents, name: str, table: Table) -> ImageResource | None:
    keys: Keys = (Kind.IMAGE.value, name)
    address, origin, platform = Address(Kind.IMAGE, name), scope.origin(Kind.IMAGE, name), table.get("platform", "")
    if ("build" in table) == ("reference" in table):
        if not any(scope.problems.is_broken((*keys, option)) for option in ("build", "reference")):
            state = "both build and reference" if "build" in table else "neither build nor reference"
            scope.problems.at(
                keys, f"has {state}", 'write build = "./directory" to build it, or reference = "name:tag" to pull it'
            )
        return None
    if "reference" in table:
        if "tag" in table:
            scope.problems.at(
                (*keys, "tag"), "a tag is the name of an image that is built", "leave it out, or build the image"
            )
        wrong = wrong_reference(table["reference"])
        if wrong:
            scope.problems.at((*keys, "reference"), wrong)
            return None
        policy = pull_policy(table.get("pull_policy", "missing"))
        return ImageResource(address, table["reference"], None, policy, platform, origin=origin)
    if "pull_policy" in table:
        scope.problems.at(
            (*keys, "pull_policy"),
            "it is built, not pulled",
            "for fresh base images write build = { pull = true, ... }",
        )
    tag = table.get("tag", f"{scope.project}-{name}")
    wrong = wrong_reference(tag, is_tag=True)
    if wrong:
        scope.problems.at((*keys, "tag") if "tag" in table else keys, wrong, 'give it a tag: tag = "name:version"')
        return None
    build = resolve_build(scope, contents, (*keys, "build"), table["build"], platform)
    tags = resolve_tags(scope, (*keys, "build"), table["build"], tag)
    if build is None:
        return None
    adopt = table.get("adopt", scope.document.get("project", {}).get("adopt", False))
    return ImageResource(address, tag, build, platform=platform, origin=origin, tags=tags, adopt=adopt)
