"""Every kind of engine: up, the tests that touch an engine, down; then docs/engines.md. `python -m tests.matrix.run [KIND...]`

The results of a kind are kept in build/matrix/KIND.json, so that one kind can be run again alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from tests.matrix.page import page
from tests.matrix.refusals import REFUSED

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "matrix"
TESTS = ("tests/engine/test_contract.py", "tests/engine/test_registry.py", "tests/options", "tests/scenarios")
#: seconds for the tests of one kind: seldom a third of it, on two quiet processors
LIMIT = 1800
ODD_FLAGS = (
    "--default-ulimit nofile=1000:2000 --default-shm-size 128M --init --ip 127.0.0.1 --userland-proxy=false "
    "--log-driver local --log-opt max-size=10m --default-cgroupns-mode private --live-restore "
    "--default-address-pool base=10.220.0.0/16,size=26"
)
KINDS = {
    "docker20": ("docker20", ""),
    "docker26": ("docker26", ""),
    "docker28": ("docker28", ""),
    "docker20-odd": ("docker20", ODD_FLAGS),
    "podman5": ("podman5", ""),
}
PROBE = (
    "import docker, json; api = docker.from_env(); v = api.version(); "
    "print(json.dumps([v['Components'][0]['Name'], v['Version'], v['ApiVersion']]))"
)


def main(chosen: list[str]) -> int:
    RESULTS.mkdir(parents=True, exist_ok=True)
    unknown = [kind for kind in chosen if kind not in KINDS]
    if unknown:
        print(f"no engine {', '.join(unknown)}; there are {', '.join(KINDS)}", file=sys.stderr)
        return 1
    failed = [kind for kind in chosen or KINDS if not run(kind)]
    kept = {kind: json.loads(file.read_text()) for kind in KINDS if (file := RESULTS / f"{kind}.json").exists()}
    (ROOT / "docs" / "engines.md").write_text(page(kept, ODD_FLAGS), encoding="utf-8")
    print("docs/engines.md is written" + (f"; unexpected failures on {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def run(kind: str) -> bool:
    """The tests on one engine; whether nothing failed but what is declared."""
    engine, flags = KINDS[kind]
    environment = {
        **os.environ,
        "RECONCILER_ENGINE_NAME": f"matrix-{kind}",
        "RECONCILER_ENGINE_KIND": engine,
        "RECONCILER_ENGINE_FLAGS": flags,
        "RECONCILER_MATRIX": kind,
    }
    report = RESULTS / f"{kind}.xml"
    report.unlink(missing_ok=True)

    def script(*words: str, timeout: float = LIMIT + 120) -> str:
        done = subprocess.run(
            ["scripts/engine", *words],
            check=False,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=timeout,
        )
        return done.stdout

    begun = time.monotonic()
    try:
        script("up")
        script("exec", "scripts/base-image")
        told = json.loads(script("exec", sys.executable, "-c", PROBE))
        ready = time.monotonic()
        pytest = [sys.executable, "-m", "pytest", "-q", "-n", "4", "--dist", "worksteal", "--tb=short"]
        said = script(
            "exec",
            "timeout",
            "-s",
            "INT",
            "-k",
            "60",
            str(LIMIT),
            *pytest,
            "-k",
            "not [memory",  # the engine in memory
            f"--junitxml={report}",
            *TESTS,
        )
    finally:
        script("down")
    (RESULTS / f"{kind}.txt").write_text(said, encoding="utf-8")
    if not report.exists():
        print(f"{kind}: there is no report of the tests", file=sys.stderr)
        return False
    result = {
        "engine": told[0],
        "version": told[1],
        "api": told[2],
        "preparing": round(ready - begun),
        "testing": round(time.monotonic() - ready),
        "tests": read_report(report),
    }
    (RESULTS / f"{kind}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    outcomes = list(result["tests"].values())
    in_time = result["testing"] < LIMIT
    print(
        f"{kind}: {told[1]}, {outcomes.count('passed')} passed, {outcomes.count('refused')} refused as declared, "
        f"{outcomes.count('expected')} differ as declared, {outcomes.count('failed')} failed, {result['preparing']} + {result['testing']} s",
        flush=True,
    )
    if not in_time:  # what was done until then is in the report, the rest shows as not run
        print(f"{kind}: the tests did not end within {LIMIT} seconds", file=sys.stderr)
    return in_time and "failed" not in outcomes


def read_report(report: Path) -> dict[str, str]:
    """passed, refused (when planned, as declared), expected (to differ, as declared) or failed, by the id of the test."""
    outcomes: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # pytest's own file
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        tags: set[Any] = {child.tag for child in case}
        skipped = case.find("skipped")
        if tags & {"failure", "error"} or (skipped is not None and skipped.get("type") != "pytest.xfail"):
            outcomes[name] = "failed"
        elif skipped is not None:
            outcomes.setdefault(name, "refused" if skipped.get("message") == REFUSED else "expected")
        else:
            outcomes.setdefault(name, "passed")
    return outcomes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
