"""What the engines do otherwise than the newest Docker, on purpose or for good: declared here and nowhere else.

A test named here is expected to fail on those engines (and is reported when it passes after all: the entry has gone
stale); it is never skipped. `docs/engines.md` prints the reasons.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """`tests` are the ends of test ids; `engine` is the kind of scripts/engine; `reason` is for the reader of the docs."""

    engine: str
    reason: str
    tests: tuple[str, ...]


_CONTRACT = "tests/engine/test_contract.py::"
DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "docker20-odd",
        "the test is about the built-in defaults, which this engine does not have",
        (
            _CONTRACT + "test_facts_are_told[docker]",
            _CONTRACT + "test_defaults_of_a_container[docker]",
            "test_container_option[cgroup]",
        ),
    ),
    Difference(
        "docker20-odd",
        "with --init the first process is the engine's, so a program that is not there starts, and ends with 127 at once; "
        "one that ignores SIGTERM as process 1 ends by it",
        (
            _CONTRACT + "test_start_stop_and_again[docker]",
            _CONTRACT + "test_a_command_that_is_not_there[docker]",
            "test_what_does_not_work_gives_way[no-start-start-first]",
        ),
    ),
    Difference(
        "podman5",
        "it fills in what nobody asked for, and adds variables; what is compared leaves that out",
        (
            _CONTRACT + "test_defaults_of_a_container[docker]",
            _CONTRACT + "test_the_image_supplies_what_the_container_leaves_out[docker]",
        ),
    ),
    Difference(
        "podman5",
        "it refuses later, or not at all: no command, memory without swap, processors with a quota, a port or a program "
        "that fails, files for a read-only container",
        (
            _CONTRACT + "test_without_a_command_nothing_is_created[docker]",
            _CONTRACT + "test_memory_grows_with_its_swap[docker]",
            _CONTRACT + "test_a_limit_on_what_had_none[docker]",
            _CONTRACT + "test_cpus_and_quota_exclude_each_other[docker]",
            _CONTRACT + "test_a_command_that_is_not_there[docker]",
            _CONTRACT + "test_a_port_is_had_by_one[docker]",
            _CONTRACT + "test_a_read_only_container_takes_files_in_volumes_only[docker]",
        ),
    ),
    Difference(
        "podman5",
        "it refuses earlier: a network that is not there when the container is made, not when it starts; and it takes "
        "a network from under what runs when asked by id, so we look first",
        (
            _CONTRACT + "test_an_unknown_network_is_noticed_at_the_start[docker]",
            _CONTRACT + "test_a_network_in_use_stays_while_its_members_run[docker]",
        ),
    ),
    Difference(
        "podman5",
        "files that are put into a container keep their owner, and are read back as root's",
        (
            _CONTRACT + "test_files_are_put_into_a_container_and_read[docker-False]",
            _CONTRACT + "test_files_are_put_into_a_container_and_read[docker-True]",
        ),
    ),
    Difference(
        "podman5",
        'its API cannot ask a registry for a digest: with `pull_policy = "always"` the image that is there is kept, with a warning',
        (
            "tests/engine/test_registry.py::test_pull_tag_and_digest",
            "tests/engine/test_registry.py::test_a_login_is_found_and_needed",
        ),
    ),
    Difference(
        "podman5",
        "its builder is Buildah: it knows what the classic builder does not, and there is no BuildKit beside it",
        (
            "tests/engine/test_registry.py::test_a_build_by_the_classic_builder",
            "test_stopped_at_once_nothing_is_left",
        ),
    ),
    Difference(
        "podman5",
        "the test reads what the engine itself shows: it calls every network mode `bridge`",
        ("test_the_first_network_follows_priority",),
    ),
    Difference(
        "podman5",
        "it removes no container whose namespaces others share, not even by hand and by force",
        ("test_the_network_works_after_its_donor_was[removed]",),
    ),
    Difference(
        "podman5",
        "it draws a port that nobody chose when the container is made, and tells no longer that nobody chose it",
        ("test_part[ports]",),
    ),
)

#: what a reader should know of each engine, beside the tests
NOTES = {
    "docker20": (
        (
            "The oldest that is supported. A MAC address is taken for the first network only, and health checks have no "
            "`start_interval`; both are refused when planned."
        ),
    ),
    "docker26": ("Volumes have `subpath` since API 1.45.",),
    "docker28": ("The newest API that is spoken, 1.51, is the one of 28.5.",),
    "docker20-odd": (
        (
            "Docker 20.10 whose defaults are not the built-in ones: "
            "`{flags}`. "
            "None of them can be read from the engine, so none is compared while a spec is silent."
        ),
    ),
    "podman5": (
        (
            "Its Docker-compatible API says 1.41 and is taken at its word; what it answers otherwise is put into Docker's "
            "words in `reconciler/engine/podman.py`."
        ),
        (
            "Health checks do not run by themselves without systemd. While one is waited for (a roll-out, `depends_on` with "
            "the condition `healthy`) it is run at its interval; at other times the status stays as it was."
        ),
        (
            "What it does without on a host that lacks it, and does not say (weights of block I/O), is looked for in what it "
            "made, and fails as on Docker. Processors and a quota of 100 ms are one to it, so going from one to the other "
            "changes nothing. An update by another client that says no restart policy takes it away; ours always says it."
        ),
        (
            "It fills in limits and settings that nobody asked for (2048 processes, 10 s to stop, the working directory, "
            "variables): they are compared only as far as the spec says them."
        ),
        (
            "Its builder gets exactly the files that are hashed: a `.containerignore` of ours is sent along, which Buildah "
            "heeds before every other. One that stands in the context is no file of the image."
        ),
    ),
}


def expected(engine: str, test: str) -> str:
    """Why this test is expected to fail on this engine; "" when it is not."""
    return next((d.reason for d in DIFFERENCES if d.engine == engine and test.endswith(d.tests)), "")
