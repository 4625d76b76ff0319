"""Warnings of engines, word for word: which of them mean that a setting was dropped."""

import pytest

from reconciler.engine.warnings import refuse_dropped
from reconciler.errors import EngineRefusedError
from reconciler.model.values import Config

SWAP = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
DROPPED = [
    "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
    "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
    "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.",
    "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
]
HARMLESS = [
    "Published ports are discarded when using host network mode",
    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    "IPv4 forwarding is disabled. Networking will not work.",
    "The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64/v3) and no specific platform was requested",
]


@pytest.mark.parametrize("text", DROPPED)
def test_a_setting_that_was_dropped_is_refused_in_the_words_of_the_engine(text: str) -> None:
    with pytest.raises(EngineRefusedError) as raised:
        refuse_dropped((*HARMLESS, text), {})
    assert text in str(raised.value)
    assert raised.value.hint


def test_what_is_harmless_stays_a_warning() -> None:
    assert refuse_dropped(HARMLESS, {}) == tuple(HARMLESS)


@pytest.mark.parametrize(
    ("config", "refused"), [({"mem_limit": 1}, False), ({"memswap_limit": 2, "mem_limit": 1}, True)]
)
def test_swap_counts_only_where_it_was_asked_for(config: Config, refused: bool) -> None:
    if refused:
        with pytest.raises(EngineRefusedError, match="without swap"):
            refuse_dropped([SWAP], config)
    else:
        assert refuse_dropped([SWAP], config) == (SWAP,)


def test_what_nobody_can_do_anything_about_is_not_told() -> None:
    """The address stands in both places, for engines of any age."""
    told = "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
    assert refuse_dropped([told, "something else"], {}) == ("something else",)
