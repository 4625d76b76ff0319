"""The little that must be known of a Dockerfile before the engine reads it: whose images it needs, and BuildKit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+][^}]*)?\}|(\w+))")
_FEATURES = (
    (re.compile(r"RUN\s.*--mount=", re.IGNORECASE), "RUN --mount"),
    (re.compile(r"RUN\s.*--(?:network|security)=", re.IGNORECASE), "RUN --network and --security"),
    (
        re.compile(r"(?:COPY|ADD)\s.*--(?:link|parents|exclude)\b", re.IGNORECASE),
        "COPY --link, --parents and --exclude",
    ),
    (re.compile(r"(?:COPY|ADD)\s.*--chmod=", re.IGNORECASE), "COPY --chmod"),
    (re.compile(r"ADD\s.*--(?:checksum|keep-git-dir)\b", re.IGNORECASE), "ADD --checksum"),
    (re.compile(r"(?:RUN|COPY|ADD)\s.*<<-?['\"]?\w", re.IGNORECASE), "here-documents"),
)


def base_images(text: str, args: Mapping[str, str]) -> list[str]:
    """The images that FROM and COPY --from name, build arguments filled in; stages of the file itself are left out."""
    values: dict[str, str] = {}
    stages, images = {"scratch"}, list[str]()
    for line in instructions(text):
        word, _, rest = line.partition(" ")
        match word.upper():
            case "ARG" if not images:
                name, _, default = rest.strip().partition("=")
                values[name] = args.get(name, default.strip("\"'"))
            case "FROM":
                words = [part for part in rest.split() if not part.startswith("--")]
                if words and (image := _fill(words[0], values)) and image.lower() not in stages:
                    images.append(image)
                if len(words) == 3 and words[1].upper() == "AS":
                    stages.add(words[2].lower())
            case "COPY" if match := re.search(r"--from=(\S+)", rest):
                if not match[1].isdigit() and match[1].lower() not in stages:
                    images.append(_fill(match[1], values))
    return [image for image in images if image]


def frontend(text: str) -> list[str]:
    """The image that a `# syntax=` line names, which BuildKit then reads the file with."""
    match = re.match(r"\s*#\s*syntax\s*=\s*(\S+)", text.lstrip("\ufeff"), re.IGNORECASE)
    return [match[1]] if match else []


def buildkit_features(text: str) -> list[str]:
    """What the file uses that the engine's classic builder does not know."""
    found = ["a # syntax line"] if frontend(text) else []
    lines = list(instructions(text))
    return found + [name for pattern, name in _FEATURES if any(pattern.match(line) for line in lines)]


def instructions(text: str) -> Iterator[str]:
    """Each instruction on one line: comments are left out, continued lines joined."""
    escape = "`" if re.search(r"^\s*#\s*escape\s*=\s*`", text, re.MULTILINE | re.IGNORECASE) else "\\"
    joined = ""
    for raw in text.lstrip("\ufeff").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith(escape):
            joined += line[:-1] + " "
            continue
        yield joined + line
        joined = ""
    if joined.strip():
        yield joined.strip()


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        found = values.get(match[1] or match[2], "")
        default = re.search(r":?-([^}]*)\}", match[0])
        return found or (default[1] if default else "")

    return _VARIABLE.sub(value, text.strip("\"'"))
