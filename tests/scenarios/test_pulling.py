"""Images from a registry: policies, newer ones, digests."""

from contextlib import suppress

import docker
from docker.errors import APIError

from reconciler.model.plan import Verb
from reconciler.model.report import Status
from tests.scenarios.conftest import LOOP
from tests.support.inprocess import Workbench
from tests.support.registry import Registry, digest_of


def publish(api: docker.APIClient, repository: str, tag: str, mark: str) -> str:
    """Push an image that differs by `mark`, and forget it here; its digest."""
    container = api.create_container("busybox:latest", "true")["Id"]
    api.commit(container, repository=repository, tag=tag, changes=f"LABEL mark={mark}")
    api.remove_container(container)
    for line in api.push(repository, tag, stream=True, decode=True):
        assert "error" not in line, line
    api.remove_image(f"{repository}:{tag}")
    return digest_of(repository, tag)


def forget(api: docker.APIClient, bench: Workbench, repository: str) -> None:
    bench.destroy()
    for image in api.images(repository):
        for name in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
            with suppress(APIError):
                api.remove_image(name)


def test_always_takes_what_the_registry_has_newer(
    bench: Workbench, docker_api: docker.APIClient, registry: Registry
) -> None:
    repository = f"{registry.address}/app"
    publish(docker_api, repository, "1", "first")
    text = (
        f'[image.app]\nreference = "{repository}:1"\npull_policy = "POLICY"\n[container.web]\nimage = "app"\n{LOOP}\n'
    )
    try:
        bench.settle(text.replace("POLICY", "missing"))
        publish_again = publish_over(docker_api, repository)
        assert bench.plan().is_settled, "missing asks nobody"
        bench.write(text.replace("POLICY", "always"))
        if bench.engine.facts().is_podman:  # its API has no question for what a registry has
            plan = bench.plan()
            assert plan.is_settled
            assert "Podman's API has no such question" in plan.warnings[0]
            assert "the one here is kept" in plan.warnings[0]
            return
        assert [(str(c.address), c.verb, c.reason) for c in bench.plan().changes] == [
            ("image.app", Verb.REPLACE, "image-changed"),
            ("container.web", Verb.REPLACE, "image-changed"),
        ]
        bench.settle()
        found = docker_api.inspect_container(f"{bench.name}-web-1")
        assert found["Config"]["Labels"]["mark"] == publish_again
    finally:
        forget(docker_api, bench, repository)


def publish_over(api: docker.APIClient, repository: str) -> str:
    """A newer image under the tag, without touching the one that is here."""
    container = api.create_container("busybox:latest", "true")["Id"]
    api.commit(container, repository=repository, tag="tmp", changes="LABEL mark=second")
    api.remove_container(container)
    old = api.inspect_image(f"{repository}:1")["Id"]
    api.tag(f"{repository}:tmp", repository, "1")
    for line in api.push(repository, "1", stream=True, decode=True):
        assert "error" not in line, line
    api.tag(old, repository, "1")
    api.remove_image(f"{repository}:tmp")
    for digest in api.inspect_image(old)["RepoDigests"][1:]:
        api.remove_image(digest)
    return "second"


def test_a_digest_pins(bench: Workbench, docker_api: docker.APIClient, registry: Registry) -> None:
    repository = f"{registry.address}/pinned"
    digest = publish(docker_api, repository, "1", "first")
    try:
        bench.settle(f'[container.web]\nimage = "{repository}@{digest}"\n{LOOP}\n')
        bench.settle(f'[container.web]\nimage = "{repository}@{digest}"\npull_policy = "always"\n{LOOP}\n')
    finally:
        forget(docker_api, bench, repository)


def test_a_failed_pull_blocks_only_who_needs_it(bench: Workbench, registry: Registry) -> None:
    bench.write(
        f'[container.web]\nimage = "{registry.address}/nothing:1"\n{LOOP}\n[container.other]\nimage = "busybox:latest"\n{LOOP}\n'
    )
    report = bench.apply()
    outcomes = {str(outcome.address): outcome for outcome in report.outcomes}
    assert outcomes[f"image.{registry.address}/nothing:1"].status is Status.FAILED
    assert "registry has no such image" in outcomes[f"image.{registry.address}/nothing:1"].message
    assert outcomes["container.web"].status is Status.BLOCKED
    assert outcomes["container.other"].status is Status.DONE


def test_a_registry_that_is_away_keeps_what_is_here(
    bench: Workbench, docker_api: docker.APIClient, registry: Registry
) -> None:
    repository = f"{registry.address}/kept"
    publish(docker_api, repository, "1", "first")
    try:
        bench.settle(f'[container.web]\nimage = "{repository}:1"\npull_policy = "always"\n{LOOP}\n')
        registry.stop()
        plan = bench.plan()
        assert plan.is_settled
        assert "the one here is kept" in plan.warnings[0]
    finally:
        forget(docker_api, bench, repository)
