"""What an engine cannot do and the plan refuses for that reason: declared here and nowhere else.

A test named here is expected to meet exactly this refusal on that engine, which is checked in full (error, advice, exit
status, nothing made: `tests/support/refusals.py`); it fails when it meets anything else, and when it passes after all.
That the engine still cannot do it is the business of `tests/options/test_dropped.py`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: how the report of a run tells them from other differences
REFUSED = "refused when planned"


class Refusal(NamedTuple):
    """`words` are all that the plan says, `…` what varies; `tests` the ends of test ids; `engine` as in Difference."""

    engine: str
    words: str
    tests: tuple[str, ...]


def _lacks(what: str, *tests: str) -> Refusal:
    return Refusal("podman5", f"Podman's API has no {what}; leave it out on this engine", tests)


_BUILDX = "docker buildx, and Podman has no BuildKit; leave that out on this engine"
REFUSALS: tuple[Refusal, ...] = (
    _lacks("domainname", "test_container_option[domainname]"),
    _lacks("gpus", "test_container_option[gpus]"),
    _lacks(
        "memswap_limit = -1 for a new container",
        "test_container_option[memswap_limit]",
        "test_changed_in_place[memswap_limit-unlimited-first]",
        "test_replaced[swap-unlimited]",
        "test_replaced[swap-unlimited-and-more]",
    ),
    _lacks("systempaths=unconfined", "test_part[systempaths]"),
    _lacks("seccomp=FILE from another machine", "test_part[seccomp]"),
    _lacks("labels of a mount's volume", "test_part[volume-labels]"),
    _lacks("driver option com.docker.network.bridge.enable_icc", "test_network_option[driver_opts]"),
    _lacks("links of a network's endpoint", "test_changed_in_place[links]", "test_part[links]"),
    _lacks("link_local_ips of a network's endpoint", "test_changed_in_place[link_local_ips]", "test_part[addresses]"),
    _lacks("driver_opts of a network's endpoint", "test_changed_in_place[driver_opts]", "test_part[driver-opts]"),
    Refusal(
        "podman5",
        "Podman removes no container whose namespaces others share: remove … first (`podman rm --force …`), then apply again",
        (
            "test_the_network_works_after_its_donor_was[replaced]",
            "test_who_shares_a_namespace_is_replaced_with_its_donor",
        ),
    ),
    Refusal(
        "podman5",
        "Podman's API puts no configs and secrets into a container with read_only; leave that out on this engine",
        (
            "test_its_user_can_read_them_and_nobody_else[-0:0-read-only]",
            'test_its_user_can_read_them_and_nobody_else[user = "nobody"-65534:65534-read-only]',
            'test_its_user_can_read_them_and_nobody_else[user = "1000:1001"-1000:1001-read-only]',
            "test_a_new_secret[replace-read-only]",
            "test_a_new_secret[restart-read-only]",
            "test_a_new_secret[signal:SIGHUP-read-only]",
            "test_a_new_secret[ignore-read-only]",
            "test_what_is_watched_is_told",
            "test_into_a_volume_that_the_image_declares[true]",
            "test_it_is_shown_nowhere[read-only]",
        ),
    ),
    Refusal(
        "podman5",
        "Podman's API puts no configs and secrets into a volume: /etc/app/motd is in /etc/app; mount them elsewhere",
        ("test_into_a_volume_that_the_image_declares[false]",),
    ),
    Refusal("podman5", f"build: secrets needs {_BUILDX}", ("test_secrets_and_caches",)),
    Refusal("podman5", f"build: cache_to, ssh need {_BUILDX}", ("test_what_needs_buildx_is_said_in_the_plan",)),
)


def words_of(engine: str, test: str) -> str:
    """An expression for what the plan says instead of doing what this test is about; "" when it is to do it."""
    words = next((r.words for r in REFUSALS if r.engine == engine and test.endswith(r.tests)), "")
    return re.escape(words).replace("…", ".+")
