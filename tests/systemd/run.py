"""The units under a real systemd as first process, with an engine of its own: `make systemd`.

Each step says what it did and what came of it; the first that fails ends the run with 1. It takes three minutes, and two more
for the first time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "systemd-box"
UNITS = "/etc/systemd/system/reconciler.service /etc/systemd/system/reconciler-apply.service /etc/systemd/system/reconciler-apply.timer"
SPEC = """[project]
name = "shop"
rollout = { ready_after = "0s", order = "stop-first" }
[container.web]
image = "busybox:latest"
command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
labels = { version = "VERSION" }
restart = "unless-stopped"
"""
SLOW = SPEC.replace(
    '["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]', '["sleep", "600"]\nstop_grace_period = "8s"'
)


class StepError(AssertionError):
    """Something is not as it should be."""


class Box:
    """The container, and what is told of it."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def script(self, *words: str) -> str:
        return _run([str(SCRIPT), *words])

    def sh(self, command: str, *, check: bool = True) -> str:
        return _run([str(SCRIPT), "exec", "sh", "-c", command], check=check)

    def write(self, path: str, text: str) -> None:
        subprocess.run(
            ["docker", "exec", "-i", os.environ.get("RECONCILER_BOX", "systemd-box"), "sh", "-c", f"mkdir -p $(dirname {path}); cat > {path}"],
            input=text, text=True, check=True,
        )  # fmt: skip

    def show(self, name: str, unit: str = "reconciler") -> str:
        return self.sh(f"systemctl show -P {name} {unit}")

    def until(self, what: str, condition: Callable[[], bool], seconds: float = 60) -> float:
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise StepError(
                    f"not within {seconds:.0f} s: {what}\n{self.sh('systemctl status -n 30 reconciler', check=False)}"
                )
            time.sleep(0.1)
        return time.monotonic() - began

    def version(self) -> str:
        return self.sh(
            "docker ps --filter label=reconciler.project=shop --format '{{.Label \"version\"}}'", check=False
        )

    def is_settled(self) -> bool:
        return ": settled" in self.show("StatusText") and self.show("SubState") == "running"

    def has_settled_on(self, version: str) -> Callable[[], bool]:
        """Whether this version runs and nothing is left to do; to be asked again and again."""
        return lambda: self.version() == version and self.is_settled()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f}  {text}", flush=True)


def _run(command: list[str], *, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if check and done.returncode:
        raise StepError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def must(condition: object, text: str) -> None:
    if not condition:
        raise StepError(text)


# --- steps -----------------------------------------------------------------------------------------------------------


def boot_and_install(box: Box) -> None:
    box.script("up")
    box.say(f"booted: systemd {box.sh('systemctl --version').split()[1]}, {box.sh('docker --version')}")
    box.sh("mkdir -p /tmp/b/bin && cp /bin/busybox /tmp/b/bin/ && cd /tmp/b && for a in $(bin/busybox --list); do [ -e bin/$a ] || ln -s busybox bin/$a; done"
           " && tar -c . | docker import --change 'ENV PATH=/bin' - busybox:latest")  # fmt: skip
    box.sh("PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels /src/systemd/install")
    must(box.sh("reconciler version"), "the program runs")
    box.sh(f"systemd-analyze verify {UNITS}")
    for unit in ("reconciler", "reconciler-apply"):
        box.sh(f"systemd-analyze security --threshold=20 {unit}")
    box.say(
        f"installed; verify is silent; security: {box.sh('systemd-analyze security --no-pager reconciler | tail -n 1')}"
    )


def ready_only_after_the_first_good_pass(box: Box) -> None:
    box.write("/etc/reconciler/config.toml", '[[project]]\npath = "specs"\n')
    box.write("/etc/reconciler/specs/shop.toml", "nonsense\n")
    box.sh(
        "systemctl mask --runtime --now docker.service docker.socket; systemctl daemon-reload; systemctl start --no-block reconciler"
    )
    box.until("it waits for the engine", lambda: "waiting for the engine" in box.show("StatusText"))
    time.sleep(2)
    must(box.show("ActiveState") == "activating", "not ready without an engine")
    box.say(f"without an engine: {box.show('ActiveState')}, {box.show('StatusText')[:60]!r}")
    box.sh("systemctl unmask --runtime docker.service docker.socket; systemctl start docker.service")
    box.until("looked at", lambda: "specs: invalid" in box.show("StatusText"))
    time.sleep(2)
    must(box.show("ActiveState") == "activating", "not ready while nothing is kept")
    box.say(f"engine started, a mistake in the spec: {box.show('ActiveState')}, {box.show('StatusText')!r}")
    box.write("/etc/reconciler/specs/shop.toml", SPEC.replace("VERSION", "1"))
    box.until("ready", lambda: box.show("ActiveState") == "active")
    must(box.version() == "1", "ready means that it runs")
    box.until("settled", box.is_settled)
    box.say(f"corrected: {box.show('ActiveState')}, {box.show('StatusText')!r}")


def it_is_confined(box: Box) -> None:
    pid = box.show("MainPID")
    status = dict(line.split(":\t", 1) for line in box.sh(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    must(int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", f"{status}")
    must(box.sh(f"stat -c %U /proc/{pid}") == "reconciler", "a user of its own")
    modes = box.sh("stat -c '%n %U %a' /var/lib/reconciler /var/cache/reconciler /run/reconciler /etc/reconciler")
    box.say(f"confined: user reconciler, CapEff 0, NoNewPrivs, seccomp; {modes.splitlines()}")


def fields_in_the_journal(box: Box) -> None:
    found = box.sh(
        "journalctl -u reconciler RECONCILER_PROJECT=specs RECONCILER_EVENT=action -o json --output-fields=MESSAGE,RECONCILER_RESOURCE,RECONCILER_PASS_ID,PRIORITY --no-pager"
    )
    must('"RECONCILER_RESOURCE":"container.web"' in found and "RECONCILER_PASS_ID" in found, found)
    box.say(
        f"journalctl RECONCILER_RESOURCE=container.web: {box.sh('journalctl RECONCILER_RESOURCE=container.web -o cat --no-pager | head -n 1')!r}"
    )


def reload(box: Box) -> None:
    """It waits until the configuration is in force, and fails when there is a mistake in it."""
    pid = box.show("MainPID")

    def loaded() -> int:
        return len(
            box.sh("journalctl -u reconciler RECONCILER_EVENT='configuration loaded' -o cat --no-pager").splitlines()
        )

    box.write("/etc/reconciler/config.toml", 'aply = true\n[[project]]\npath = "specs"\n')
    must(box.sh("systemctl reload reconciler || echo failed").endswith("failed"), "a mistake fails the reload")
    must(
        "config.toml:1:1: aply" in box.sh("journalctl -u reconciler -n 20 -o cat --no-pager"),
        "and is told with its line",
    )
    box.sh("systemctl kill -s HUP --kill-whom=main reconciler")
    box.until("refused", lambda: "configuration refused" in box.sh("journalctl -u reconciler -o cat --no-pager"))
    for number, text in enumerate(('heal = false\n[[project]]\npath = "specs"\n', '[[project]]\npath = "specs"\n'), 1):
        box.write("/etc/reconciler/config.toml", text)
        began = time.monotonic()
        box.sh("systemctl reload reconciler && journalctl --sync")
        took = time.monotonic() - began
        must(loaded() == number, "it is loaded when the reload ends")
    must(box.show("ActiveState") == "active" and box.show("MainPID") == pid, "the same process")
    box.say(
        f"reload: a mistake fails it, with its line; a good one is in force when it ends ({took:.1f} s); the process stays"
    )


def stopped_in_the_middle(box: Box) -> None:
    box.write("/etc/reconciler/specs/shop.toml", SLOW.replace("VERSION", "2"))
    box.until("version 2", box.has_settled_on("2"))
    box.write("/etc/reconciler/specs/shop.toml", SLOW.replace("VERSION", "3"))
    box.until("it stops the old one", lambda: "shop-web-1.next" in box.sh("docker ps -a --format '{{.Names}}'"))
    time.sleep(1)
    began = time.monotonic()
    box.sh("systemctl stop reconciler")
    took = time.monotonic() - began
    must(box.show("Result") == "success" and took < 75, f"{box.show('Result')}, {took:.1f} s")
    names = box.sh("docker ps -a --format '{{.Names}} {{.State}}'").splitlines()
    box.say(f"stopped in the middle of a roll-out: {box.show('Result')} after {took:.1f} s; left {names}")
    box.sh("systemctl start reconciler")
    box.until("finished", box.has_settled_on("3"))
    must(box.sh("docker ps -a --format '{{.Names}}'") == "shop-web-1", "nothing is left over")
    box.say("started again: the roll-out is finished, nothing is left over")
    box.write("/etc/reconciler/specs/shop.toml", SPEC.replace("VERSION", "4"))
    box.until("version 4", box.has_settled_on("4"))


def killed_in_the_middle(box: Box) -> None:
    """What the killed one held on the engine is known to be left over, and not waited for."""
    box.write("/etc/reconciler/specs/shop.toml", SLOW.replace("VERSION", "slow a"))
    box.until("the slow one", box.has_settled_on("slow a"))
    box.write("/etc/reconciler/specs/shop.toml", SPEC.replace("VERSION", "4"))
    box.until("it stops the old one", lambda: "shop-web-1.next" in box.sh("docker ps -a --format '{{.Names}}'"))
    held = box.sh("docker volume ls -q --filter label=reconciler.lock")
    box.sh("systemctl kill -s KILL --kill-whom=main reconciler")
    must(held.startswith("reconciler.lock.shop."), f"it was at work: {held!r}")
    took = box.until("settled", box.has_settled_on("4"))
    must(box.sh("docker ps -a --format '{{.Names}}'") == "shop-web-1", "nothing is left over")
    waited = box.sh("journalctl -u reconciler -o cat --no-pager | grep -c 'is being changed by' || true")
    must(waited == "0", "nobody waits for one that is dead")
    box.say(f"SIGKILL in the middle of a roll-out: finished after {took:.1f} s, {held.split()[0]} was not waited for")


def killed_and_frozen(box: Box) -> None:
    before = int(box.show("NRestarts"))
    pid = box.show("MainPID")
    box.sh("docker rm -f shop-web-1; systemctl kill -s KILL --kill-whom=main reconciler")
    took = box.until("healed", lambda: box.version() == "4" and box.is_settled() and box.show("MainPID") != pid)
    must(int(box.show("NRestarts")) == before + 1, "restarted")
    box.say(f"SIGKILL, and the container removed: restarted and healed after {took:.1f} s")
    box.write("/etc/systemd/system/reconciler.service.d/test.conf", "[Service]\nWatchdogSec=5s\n")
    box.sh("systemctl daemon-reload; systemctl restart reconciler")
    box.until("settled", box.is_settled)
    time.sleep(12)
    must(int(box.show("NRestarts")) == 0, "fed for longer than the watchdog bears silence")
    pid = box.show("MainPID")
    box.sh("systemctl kill -s STOP --kill-whom=main reconciler")
    took = box.until(
        "restarted", lambda: box.show("NRestarts") == "1" and box.is_settled() and box.show("MainPID") != pid
    )
    must("Watchdog timeout" in box.sh("journalctl -u reconciler --no-pager"), "by the watchdog")
    box.say(f"SIGSTOP: the watchdog (5 s here) ends it, it is settled again after {took:.1f} s; fed for 12 s before")


def engine_stopped_and_started(box: Box) -> None:
    pid = box.show("MainPID")
    box.sh("systemctl stop docker.socket docker.service")
    box.until("away", lambda: "waiting for the engine" in box.show("StatusText"))
    must(box.show("ActiveState") == "active", "an engine that is away does not end it")
    box.say(f"engine stopped: {box.show('ActiveState')}, {box.show('StatusText')[:60]!r}")
    time.sleep(12)
    box.sh("systemctl start docker")
    took = box.until("settled", box.has_settled_on("4"))
    must(box.show("MainPID") == pid, "the same process, past the watchdog")
    box.say(f"engine started: settled after {took:.1f} s, the same process")


def engine_killed_in_the_middle(box: Box) -> None:
    box.write("/etc/reconciler/specs/shop.toml", SLOW.replace("VERSION", "slow"))
    box.until("the slow one", box.has_settled_on("slow"))
    pid = box.show("MainPID")
    box.write("/etc/reconciler/specs/shop.toml", SPEC.replace("VERSION", "4b"))
    box.until("it stops the old one", lambda: "shop-web-1.next" in box.sh("docker ps -a --format '{{.Names}}'"))
    time.sleep(1)
    box.sh(
        "systemctl mask --runtime docker.service docker.socket; systemctl kill -s KILL docker; systemctl stop docker.socket docker.service"
    )
    box.until("away", lambda: "waiting for the engine" in box.show("StatusText"))
    said = box.sh("journalctl -u reconciler --since=-20s RECONCILER_EVENT='engine away' -o cat --no-pager").splitlines()
    must(1 <= len(said) <= 2, f"said once for the engine and once for the project: {said}")
    time.sleep(3)
    box.sh(
        "systemctl unmask --runtime docker.service docker.socket; systemctl reset-failed docker; systemctl start docker"
    )
    took = box.until("settled", box.has_settled_on("4b"), 90)
    must(
        box.show("MainPID") == pid and box.sh("docker ps -a --format '{{.Names}}'") == "shop-web-1",
        "the same process, nothing left over",
    )
    box.say(
        f"engine killed in the middle of a roll-out: said {len(said)} times, settled {took:.1f} s after its start, nothing left over"
    )


def images_are_built(box: Box) -> None:
    """By BuildKit, with a secret that is a credential, and by the classic builder; without a home."""
    drop_in = "/etc/systemd/system/reconciler.service.d/test.conf"
    box.write("/srv/build.key", "hush-hush\n")
    secret = '[secret.key]\nfile = "${CREDENTIALS_DIRECTORY}/build-key"\n'
    run = "echo $VERSION > /version"
    for version, mount, chosen, uses in (
        ("buildkit", "--mount=type=secret,id=key grep -q hush /run/secrets/key && ", "", 'secrets = ["key"], '),
        ("classic", "", "Environment=DOCKER_BUILDKIT=0\n", ""),
    ):
        box.write(drop_in, f"[Service]\nLoadCredential=build-key:/srv/build.key\nUnsetEnvironment=HOME\n{chosen}")
        box.sh("systemctl daemon-reload; systemctl restart reconciler")
        box.write("/etc/reconciler/specs/app/Dockerfile", f"FROM busybox:latest\nARG VERSION\nRUN {mount}{run}\n")
        image = f'[image.app]\nbuild = {{ context = "./app", {uses}args = {{ VERSION = "{version}" }} }}\n'
        spec = SPEC.replace("VERSION", version).replace('"busybox:latest"', '"app"')
        box.write("/etc/reconciler/specs/shop.toml", f"{spec}{image}{secret if uses else ''}")
        took = box.until(f"built by {version}", box.has_settled_on(version))
        must(box.sh("docker exec shop-web-1 cat /version") == version, "it runs from what was built")
        how = box.sh("docker history --format '{{.Comment}}' shop-app")
        must(("buildkit" in how) == (version == "buildkit"), f"by the builder that was asked for: {how!r}")
        box.say(f"an image built within the confinement, by {version}: runs after {took:.1f} s")
    left = box.sh("docker history --no-trunc shop-app; journalctl -u reconciler --no-pager")
    must("hush-hush" not in left, "the secret is nowhere")
    box.write("/etc/reconciler/specs/shop.toml", SPEC.replace("VERSION", "4c"))
    box.until("version 4c", box.has_settled_on("4c"))
    box.sh(f"rm -r {drop_in} /etc/reconciler/specs/app; systemctl daemon-reload; systemctl restart reconciler")
    box.until("settled", box.is_settled)


SERVE = """import sys, threading
from pathlib import Path
from tests.source.servers import HttpServer
with HttpServer(Path("/srv/git"), "git:" + sys.argv[1], port=8443, certificate="/srv/git/tls.pem"):
    threading.Event().wait()
"""


def repositories_with_credentials(box: Box) -> None:
    """By SSH with a key and a pinned host, by HTTPS with a token and an authority of its own: all of them credentials."""
    token = "tok-4711-very-secret"
    box.sh("rm -rf /srv/git* && useradd -m -d /srv/git -s /bin/sh git && ssh-keygen -q -t ed25519 -N '' -f /srv/git.key"
           " && install -D -o git -m 600 /srv/git.key.pub /srv/git/.ssh/authorized_keys && chown git: /srv/git/.ssh"
           " && echo \"localhost $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)\" > /srv/git.hosts && chmod 600 /srv/git.key"
           " && cd /srv/git && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
           " -addext subjectAltName=DNS:localhost -keyout tls.key -out /srv/git.ca 2> /dev/null && cat tls.key /srv/git.ca > tls.pem && chown git: tls.pem"
           f" && echo {token} > /srv/git.token && runuser -u git -- git init -q -b main hosts && systemctl start ssh")  # fmt: skip
    box.write("/srv/git-serve.py", SERVE)
    box.sh(
        f"systemd-run -q --unit git-serve -p User=git -p Environment=PYTHONPATH=/src python3 /srv/git-serve.py {token}"
    )
    names = ("key", "hosts", "ca", "token")
    loaded = "".join(f"LoadCredential=git-{name}:/srv/git.{name}\n" for name in names)
    box.write("/etc/systemd/system/reconciler.service.d/test.conf", f"[Service]\nUnsetEnvironment=HOME\n{loaded}")
    for version, source in (
        ("ssh", 'git = "ssh://git@localhost/srv/git/hosts"\nssh_key = "credential:git-key"\nknown_hosts = "credential:git-hosts"'),
        ("https", 'git = "https://localhost:8443/hosts"\ntoken_file = "credential:git-token"\nca_file = "credential:git-ca"'),
    ):  # fmt: skip
        box.write("/srv/git/hosts/shop.toml", SPEC.replace("VERSION", version))
        box.sh(
            "cd /srv/git/hosts && chown -R git: . && runuser -u git -- sh -c 'git add -A && git -c user.name=A -c user.email=a@x commit -q -m new'"
        )
        box.write(
            "/etc/reconciler/config.toml", f'[[project]]\nname = "specs"\n[project.source]\n{source}\ninterval = "1s"\n'
        )
        box.sh("systemctl daemon-reload; systemctl restart reconciler")
        took = box.until(f"by {version}", box.has_settled_on(version))
        box.say(f"a repository by {version}, with credentials: fetched and applied after {took:.1f} s")
    must(
        token not in box.sh("journalctl -u reconciler --no-pager; systemctl status -n 0 reconciler"), "no token is told"
    )
    box.sh("systemctl stop git-serve")


def a_signed_repository_and_a_credential(box: Box) -> None:
    """git, ssh-keygen and credentials within the confinement."""
    box.sh("rm -rf /srv/hosts /srv/key* && ssh-keygen -q -t ed25519 -N '' -f /srv/key && mkdir -p /srv/hosts && cd /srv/hosts && git init -q -b main"
           " && git config user.name A && git config user.email a@x && git config gpg.format ssh && git config user.signingkey /srv/key && git config commit.gpgsign true"
           " && echo \"a@x namespaces=\\\"git\\\" $(cut -d' ' -f1,2 /srv/key.pub)\" > /srv/signers")  # fmt: skip

    def push(version: str, option: str = "") -> None:
        box.write("/srv/hosts/shop.toml", SPEC.replace("VERSION", version))
        box.sh(
            f"cd /srv/hosts && chown -R root: . && git add -A && git commit -q {option} -m v{version} && chown -R reconciler: /srv/hosts"
        )

    push("5")
    box.write("/etc/systemd/system/reconciler.service.d/test.conf", "[Service]\nLoadCredential=signers:/srv/signers\n")
    box.write(
        "/etc/reconciler/config.toml",
        '[[project]]\nname = "specs"\n[project.source]\ngit = "file:///srv/hosts"\ninterval = "1s"\nverify = "commit"\nallowed_signers = "credential:signers"\n',
    )
    box.sh("systemctl daemon-reload; systemctl restart reconciler")
    box.until("version 5", box.has_settled_on("5"))
    push("6", "--no-gpg-sign")
    box.until(
        "refused",
        lambda: "unsigned" in box.sh("journalctl -u reconciler RECONCILER_EVENT='source refused' -o json --no-pager"),
    )
    must(box.version() == "5", "what is unsigned does not run")
    push("7")
    box.sh(
        "cd /srv/hosts && chown -R root: . && git reset -q --soft HEAD~2 && git commit -q -m signed && chown -R reconciler: ."
    )
    box.until("version 7", box.has_settled_on("7"))
    box.say("a signed repository, signers as a credential: 5 applied, 6 (unsigned) refused, 7 applied")


def boot_order(box: Box) -> None:
    box.sh("systemctl enable reconciler docker; sync")
    subprocess.run(
        ["docker", "restart", "-t", "90", os.environ.get("RECONCILER_BOX", "systemd-box")],
        check=True,
        capture_output=True,
    )
    box.until("booted", lambda: box.sh("systemctl is-system-running", check=False) in ("running", "degraded"), 120)
    box.until("settled", box.has_settled_on("7"), 90)
    engine = int(box.show("ActiveEnterTimestampMonotonic", "docker"))
    started, ready = int(box.show("ExecMainStartTimestampMonotonic")), int(box.show("ActiveEnterTimestampMonotonic"))
    must(engine <= started <= ready, "after the engine")
    box.say(
        f"reboot: engine active, reconciler started {(started - engine) / 1e6:.2f} s and ready {(ready - engine) / 1e6:.2f} s after it"
    )


def one_shot(box: Box) -> None:
    box.sh(
        "rm -r /etc/systemd/system/reconciler.service.d; systemctl disable --now reconciler; systemctl daemon-reload"
    )
    box.write("/etc/reconciler/config.toml", '[[project]]\npath = "specs"\n')
    box.write("/etc/reconciler/specs/shop.toml", SPEC.replace("VERSION", "8"))
    box.sh("systemctl start reconciler-apply.service")
    must(box.version() == "8" and box.show("Result", "reconciler-apply") == "success", "applied once")
    box.write("/etc/reconciler/specs/shop.toml", "nonsense")
    must(box.sh("systemctl start reconciler-apply.service || echo failed") == "failed", "a mistake fails the unit")
    box.sh("systemctl reset-failed; systemctl enable --now reconciler-apply.timer")
    must("reconciler-apply.timer" in box.sh("systemctl list-timers --no-pager"), "the timer waits")
    box.say("one-shot: reconciler-apply.service applies and ends; with a mistake it fails; its timer is listed")


def uninstall(box: Box) -> None:
    box.sh("/src/systemd/install --uninstall --purge")
    left = box.sh(
        "find / -xdev -name '*reconciler*' -not -path '/proc/*' -not -path '/src*' -not -path '/var/lib/systemd/*' -not -path '/var/log/*'"
    )
    must(left == "" and box.version() == "8", f"left: {left}")
    box.say("uninstalled with --purge: no file is left, the container runs on")


STEPS = (
    boot_and_install,
    ready_only_after_the_first_good_pass,
    it_is_confined,
    fields_in_the_journal,
    reload,
    stopped_in_the_middle,
    killed_in_the_middle,
    killed_and_frozen,
    engine_stopped_and_started,
    engine_killed_in_the_middle,
    images_are_built,
    repositories_with_credentials,
    a_signed_repository_and_a_credential,
    boot_order,
    one_shot,
    uninstall,
)


def main() -> int:
    box = Box()
    wanted = sys.argv[1:]
    try:
        for step in STEPS:
            if not wanted or step.__name__ in wanted:
                step(box)
    except StepError as error:
        print(f"FAILED: {error}", flush=True)
        return 1
    finally:
        if not wanted:
            box.script("down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
