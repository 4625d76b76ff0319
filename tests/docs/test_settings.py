"""The reference of settings in docs/service.md is what the table of settings says."""

from pathlib import Path

from reconciler.service.settings import SETTINGS, Setting
from tests.support.golden import golden

PAGE = Path(__file__).parents[2] / "docs" / "service.md"
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


def test_table() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    golden(PAGE, before + _BEGIN + rows() + _END + rest.partition(_END)[2])
