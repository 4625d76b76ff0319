# shellcheck shell=sh
# What scripts/demo and scripts/test have in common: a virtual environment and an engine. Sourced, not run.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

venv=.venv

find_python() { # sets $python to a Python 3.11 or newer
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 0
    done
    die 'Python 3.11 or newer is needed; found none'
}

make_venv() { # make_venv WHAT: .venv with the project installed; WHAT is "." or ".[dev]"
    find_python
    if [ ! -x "$venv/bin/pip" ]; then
        say "Making a Python environment in $venv; nothing is installed into the system's Python."
        # Debian and Ubuntu keep what this needs in a package of its own.
        if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            if [ "$python" = python3 ]; then scripts/engine need python3-venv; else scripts/engine need "$python-venv"; fi
        fi
        "$python" -m venv "$venv"
    fi
    set -- "$1" "$(cat pyproject.toml constraints.txt 2>/dev/null | cksum) $1"
    [ "$(cat "$venv/installed" 2>/dev/null)" != "$2" ] || return 0
    say "Installing reconciler and the Python packages it needs into $venv (pip install -e '$1')."
    if [ -f constraints.txt ]; then
        "$venv/bin/pip" install -q --disable-pip-version-check -e "$1" -c constraints.txt
    else
        "$venv/bin/pip" install -q --disable-pip-version-check -e "$1"
    fi
    printf '%s\n' "$2" > "$venv/installed"
}

answers() { # does the engine in DOCKER_HOST (or at the default socket) answer?
    "$venv/bin/python" -c 'import docker; docker.from_env(use_ssh_client=True, timeout=10).ping()' >/dev/null 2>&1
}

explain_private() { # why root is needed
    say "Starting a private Docker Engine '$RECONCILER_ENGINE_NAME' of its own, apart from any other on this machine:"
    say '  - installs docker.io, iptables and iproute2 from the distribution if missing, and starts no service;'
    say '  - makes a network namespace with a link to the outside, and runs dockerd in it.'
    say 'Only root may do these. Everything but the packages is removed at the end (--keep: by --down).'
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        die 'not being root and finding no sudo, nothing of this was done. Run this as root, or install sudo.'
}

start_private() {
    scripts/engine up
    scripts/engine exec scripts/base-image
}
