"""The little that is read in Dockerfiles, and in refusals."""

import pytest

from reconciler.engine.dockerfile import base_images, buildkit_features
from reconciler.engine.refusals import hint_for


@pytest.mark.parametrize(
    ("text", "args", "images"),
    [
        ("FROM busybox", {}, ["busybox"]),
        ("from --platform=linux/amd64 r.example/a:1 AS b\nFROM b\nFROM scratch", {}, ["r.example/a:1"]),
        ("ARG V=1\nARG R\nFROM $R/a:${V}", {"R": "r.example"}, ["r.example/a:1"]),
        ("ARG V=1\nFROM a:$V", {"V": "2"}, ["a:2"]),
        ("FROM ${R:-r.example}/a", {}, ["r.example/a"]),
        (
            "# comment\n\nFROM \\\n  # inside\n  r.example/a \\\n AS x\nCOPY --from=x a b\nCOPY --from=0 a b\n",
            {},
            ["r.example/a"],
        ),
        ("FROM a\nCOPY --chown=1 --from=s.example/tool:2 /a /b", {}, ["a", "s.example/tool:2"]),
        ("# escape=`\nFROM a `\n AS b\nFROM b", {}, ["a"]),
        ("\ufeffFROM a", {}, ["a"]),
        ("FROM $NOTHING\nRUN x", {}, []),
        ("nonsense", {}, []),
        ("", {}, []),
    ],
)
def test_the_images_that_a_build_needs(text: str, args: dict[str, str], images: list[str]) -> None:
    assert base_images(text, args) == images


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# syntax=docker/dockerfile:1\nFROM a", "# syntax"),
        ("FROM a\nRUN --mount=type=cache,target=/x true", "--mount"),
        ("FROM a\nRUN \\\n  --mount=type=secret,id=x true", "--mount"),
        ("FROM a\nRUN <<EOF\necho\nEOF", "here-documents"),
        ("FROM a\nCOPY --link a b", "--link"),
        ("FROM a\nCOPY --chmod=755 a b", "--chmod"),
    ],
)
def test_buildkit_is_noticed(text: str, words: str) -> None:
    assert any(words in feature for feature in buildkit_features(text))


def test_plain_files_need_no_buildkit() -> None:
    assert buildkit_features("FROM a\n# RUN --mount=x\nRUN cat < file\nCOPY --chown=1 --from=a b c\n") == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("driver failed programming: Bind for 0.0.0.0:80 failed: port is already allocated", "has that port"),
        ("listen tcp4 0.0.0.0:80: bind: address already in use", "has that port"),
        ('Conflict. The container name "/x" is already in use by container "y"', "has that name"),
        ("No such image: x:latest", "pull or build"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "spelling"),
        ("Head https://r/v2/: no basic auth credentials", "docker login"),
        ("unauthorized: authentication required", "docker login"),
        ("manifest for busybox:9 not found: manifest unknown: manifest unknown", "name and tag"),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk"),
        ("Pool overlaps with other one on this address space", "subnet"),
        ('invalid mount config for type "bind": bind source path does not exist: /x', "directory"),
        ('exec: "nope": executable file not found in $PATH: unknown', "cannot run that command"),
        ('OCI runtime create failed: exec: "nope": executable file not found in $PATH', "cannot run that command"),
        ('exec: "/nope": stat /nope: no such file or directory: unknown', "cannot run that command"),
        ("remove x: volume is in use - [abc]", "what uses it"),
        ("network n id 1 has active endpoints", "what uses it"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "platform"),
        ("image with reference x was found but does not match the specified platform: wanted a", "platform"),
        ("Address already in use", "has that address"),
        ("Invalid address 10.90.0.5: It does not belong to any of this network's subnets", "in the subnet"),
        ("unable to find user nobodyhere: no matching entries in passwd file", "no such user"),
        ('error gathering device information while adding custom device "/dev/x": no such file or directory', "device"),
        ('could not select device driver "" with capabilities: [[gpu]]', "Toolkit"),
        ("Unknown runtime specified nonsuch", "no such runtime"),
        ("Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "fewer processors"),
        ("Requested CPUs are not available - requested 77, available: 0-1", "fewer processors"),
        ("error during container init: open /proc/sys/net/nonsuch: no such file or directory: unknown", "`sysctls`"),
        ('error looking up logging plugin nonsuch: plugin "nonsuch" not found', "no such driver"),
        ('create shop_v: error looking up volume plugin nonsuch: plugin "nonsuch" not found', "no such driver"),
        ("failed to initialize logging driver: invalid size: 'abc'", "`logging`"),
        ('invalid CapAdd: unknown capability: "CAP_NONSUCH"', "`cap_add`"),
        ('error mounting "/etc" to rootfs at "/etc/passwd": mount /etc:/etc/passwd: not a directory', "both paths"),
        ("failed to mount local volume: mount :/nope:/data: no such device", "`driver_opts`"),
        ("cannot join network of a non running container: 29d8", "start it first"),
        ("invalid reference format: repository name must be lowercase", "lower case"),
        ("something else entirely", "^$"),
    ],
)
def test_hints(message: str, words: str) -> None:
    import re

    assert re.search(words, hint_for(message))
