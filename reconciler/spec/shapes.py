"""The structure of an option's value, as a pydantic type: one for each form of the option table."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from reconciler.model import contents, devices, forms, mounts, structures
from reconciler.model.forms import Form
from reconciler.spec import long_forms
from reconciler.spec.toml_types import MAP, TEXT_OR_INTEGER, TEXT_OR_TEXTS, TEXTS, list_of, one_of, table_of

BY_FORM: dict[Form, Any] = {
    forms.TEXT: str,
    forms.FLAG: bool,
    forms.TRISTATE: bool,
    forms.INTEGER: int,
    forms.PIDS: int,
    forms.SIZE: TEXT_OR_INTEGER,
    forms.SWAP: TEXT_OR_INTEGER,
    forms.SECONDS: TEXT_OR_INTEGER,
    forms.CPUS: one_of(number=float, text=str),
    # Every range in it is counted out.
    forms.CPUSET: Annotated[str, Field(max_length=256)],
    forms.PATH: str,
    forms.SIGNAL: TEXT_OR_INTEGER,
    forms.RESTART: str,
    forms.ARGV: TEXT_OR_TEXTS,
    forms.LIST: TEXT_OR_TEXTS,
    forms.SET: one_of(list=list_of(TEXT_OR_INTEGER), text=str),
    forms.CAPABILITIES: TEXTS,
    forms.SECURITY: TEXTS,
    forms.ADDRESSES: TEXT_OR_TEXTS,
    forms.HOSTS: one_of(list=TEXTS, table=table_of(TEXT_OR_TEXTS)),
    forms.MAP: MAP,
    forms.ENVIRONMENT: MAP,
    forms.ULIMITS: table_of(one_of(integer=int, text=str, table=long_forms.ULIMIT)),
    forms.RULES: TEXT_OR_TEXTS,
    forms.MICROSECONDS: TEXT_OR_INTEGER,
    forms.SWAPPINESS: int,
    devices.DEVICES: list_of(one_of(text=str, table=long_forms.DEVICE)),
    devices.REQUESTS: one_of(text=str, list=list_of(long_forms.DEVICE_REQUEST)),
    devices.BLKIO: long_forms.BLKIO,
    forms.TMPFS: one_of(list=TEXTS, text=str, table=table_of(str)),
    forms.LOGGING: long_forms.LOGGING,
    structures.PORTS: list_of(one_of(text=str, integer=int, table=long_forms.PORT)),
    structures.EXPOSE: list_of(TEXT_OR_INTEGER),
    mounts.VOLUMES_FROM: TEXTS,
    mounts.MOUNTS: list_of(one_of(text=str, table=long_forms.MOUNT)),
    structures.NETWORKS: one_of(list=TEXTS, table=table_of(long_forms.ENDPOINT)),
    structures.HEALTHCHECK: long_forms.HEALTHCHECK,
    structures.IPAM: long_forms.IPAM,
    contents.CONFIGS: list_of(one_of(text=str, table=long_forms.FILE)),
    contents.SECRETS: list_of(one_of(text=str, table=long_forms.FILE)),
}

#: options that steer what we do: their form says nothing
STEERING: dict[str, Any] = {
    "env_file": one_of(list=list_of(one_of(text=str, table=long_forms.ENV_FILE)), text=str),
    "watch": list_of(one_of(text=str, table=long_forms.WATCH)),
    "depends_on": one_of(list=TEXTS, table=table_of(one_of(text=long_forms.CONDITION, table=long_forms.DEPENDENCY))),
    "kind": Literal["service", "job"],
    "label_file": TEXT_OR_TEXTS,
    "deploy": long_forms.DEPLOY,
    "profiles": TEXTS,
    "links": TEXTS,
    "external_links": TEXTS,
    "mac_address": str,
    "attach": bool,
    "develop": long_forms.DEVELOP,
    "scale": Annotated[int, Field(ge=0, le=500)],
    "pull_policy": Literal["always", "missing", "never", "if_not_present"],
    "platform": Annotated[str, Field(pattern=r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$")],
    "build": one_of(text=str, table=long_forms.BUILD),
    "external": bool,
    "prune": bool,
}
