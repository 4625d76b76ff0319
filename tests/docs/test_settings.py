"""The reference of settings in docs/service.md is what the table of settings says."""

import re
from pathlib import Path

from reconciler.service.notifications.notices import Event
from reconciler.service.notifications.targets import NOTIFY
from reconciler.service.settings import SETTINGS, Setting
from tests.support.golden import golden

PAGE = Path(__file__).parents[2] / "docs" / "service.md"
_NOTIFY, _END_OF_NOTIFY = "<!-- notify: written by tests/docs/test_settings.py -->\n", "<!-- end of notify -->"
_BEGIN, _END = "<!-- table: written by tests/docs/test_settings.py -->\n", "<!-- end of table -->"


def shown(setting: Setting) -> str:
    value = setting.default
    if value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g} s" if setting.is_duration else str(value)


def rows() -> str:
    lines = ["| setting | default | variable | |", "|---|---|---|---|"]
    for setting in SETTINGS:
        name = ".".join(str(key) for key in setting.keys)
        lines.append(f"| `{name}` | {shown(setting)} | `{setting.variable}` | {setting.summary} |")
    return "\n" + "\n".join(lines) + "\n\n"


def notify_rows() -> str:
    lines = ["| option of `[[notify]]` | |", "|---|---|"]
    lines += [f"| `{name}` | {field.description} |" for name, field in NOTIFY.model_fields.items()]
    return "\n" + "\n".join(lines) + "\n\n"


def test_notify() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(_NOTIFY)
    golden(PAGE, before + _NOTIFY + notify_rows() + _END_OF_NOTIFY + rest.partition(_END_OF_NOTIFY)[2])
    told = re.findall(
        r"^\| `([a-z-]+)` \| ", text.partition("| `on` | is told |")[2].partition("\n\n")[0], re.MULTILINE
    )
    assert told == [str(event) for event in Event]


def test_table() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    golden(PAGE, before + _BEGIN + rows() + _END + rest.partition(_END)[2])
