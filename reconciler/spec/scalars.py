"""Where the document wants a number or a boolean, so that the text of a variable becomes one there.

`"${SCALE:-2}"` is a string to TOML. Validation never converts, so that what it accepts is the very document that is
resolved; this is the one conversion, and it touches only texts that held a reference.
"""

from __future__ import annotations

import re

from reconciler.model.forms import CPUS, FLAG, INTEGER, PIDS, SWAPPINESS, TRISTATE, Form
from reconciler.model.rows import TABLE
from reconciler.spec.keys import Keys

_BY_FORM: dict[Form, type] = {FLAG: bool, TRISTATE: bool, INTEGER: int, PIDS: int, SWAPPINESS: int, CPUS: float}
_FURTHER: dict[str, type] = {
    "project.adopt": bool,
    "project.prune": bool,
    "project.rollout.max_parallel": int,
    "image.*.adopt": bool,
    "image.*.build.no_cache": bool,
    "image.*.build.pull": bool,
    "image.*.build.privileged": bool,
    "image.*.build.ulimits.*.soft": int,
    "image.*.build.ulimits.*.hard": int,
    "network.*.external": bool,
    "network.*.adopt": bool,
    "volume.*.external": bool,
    "volume.*.prune": bool,
    "volume.*.adopt": bool,
    "container.*.adopt": bool,
    "container.*.scale": int,
    "container.*.attach": bool,
    "container.*.blkio_config.weight": int,
    "container.*.blkio_config.weight_device.#.weight": int,
    "container.*.ports.#.target": int,
    "container.*.volumes.#.read_only": bool,
    "container.*.volumes.#.bind.create_host_path": bool,
    "container.*.volumes.#.volume.nocopy": bool,
    "container.*.networks.*.priority": int,
    "container.*.networks.*.gw_priority": int,
    "container.*.healthcheck.retries": int,
    "container.*.healthcheck.disable": bool,
    "container.*.ulimits.*.soft": int,
    "container.*.ulimits.*.hard": int,
    "container.*.env_file.#.required": bool,
    "container.*.depends_on.*.restart": bool,
    "container.*.depends_on.*.required": bool,
    "container.*.rollout.max_parallel": int,
}
_TYPES: dict[str, type] = _FURTHER | {
    f"{kind.value}.*.{row.name}": _BY_FORM[row.form]
    for kind, rows in TABLE.items()
    for row in rows
    if row.declared and row.form in _BY_FORM
}
# `*` stands for a name, `#` for a position in a list.
_NAMED = {"ulimits", "networks", "depends_on"}
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")


def expected_type(keys: Keys) -> type | None:
    """bool, int or float where only that is accepted; None where a text may stand."""
    return _TYPES.get(".".join(_pattern(keys)))


def _pattern(keys: Keys) -> list[str]:
    pattern = []
    for at, key in enumerate(keys):
        is_name = (at == 1 and keys[0] != "project") or (at > 1 and keys[at - 1] in _NAMED)
        pattern.append("#" if isinstance(key, int) else "*" if is_name else key)
    return pattern


def convert(keys: Keys, text: str) -> bool | int | float | str:
    """The text as what is expected at `keys`; unchanged when it is not that, for validation to refuse."""
    expected = expected_type(keys)
    if expected is bool and text in ("true", "false"):
        return text == "true"
    if expected in (int, float) and _INTEGER.fullmatch(text):
        return int(text)
    if expected is float and _NUMBER.fullmatch(text):
        return float(text)
    return text
