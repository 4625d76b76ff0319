"""Arguments → a command → an exit code. No traceback reaches a person."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, SpecError

if TYPE_CHECKING:
    import argparse

Command = "Callable[[argparse.Namespace], int]"


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0 done or nothing to do; 1 anything that went wrong, usage errors included; 2 there is a difference.
    """
    import gc

    from reconciler.cli.streams import open_streams

    gc.disable()  # one command makes little garbage, and looking for it takes a tenth of a plan of 200 containers
    open_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return _reader_has_gone()
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return 128 + signal.SIGINT
    except OSError as error:
        if not _is_about_output(error):
            return _report_bug(error)
        _give_up_output()
        complain(f"error: the output cannot be written: {error.strerror}")
        return 1
    except Exception as error:
        return _report_bug(error)
    finally:
        gc.freeze()  # what is left goes with the process; the interpreter need not look through it once more


def _run(arguments: Sequence[str]) -> int:
    from reconciler.cli.parser import parse, print_help

    try:
        options = parse(arguments)
    except SystemExit as error:  # --help, or a usage error that has been printed
        return error.code if isinstance(error.code, int) else 1
    if options.version:
        options.command, options.json = "version", False
    if options.command is None:
        print_help(sys.stderr)
        return 1
    try:
        return _command(options.command)(options)
    except SpecError as error:
        count = len(error.problems)
        unharmed = "; nothing was changed" if options.command in ("apply", "destroy") else ""
        about_us = options.command == "run" or getattr(options, "config", None) is not None
        where = "the Compose files" if options.command == "import" else "the configuration" if about_us else "the spec"
        complain(f"{error}\n\n{count} problem{'s' if count != 1 else ''} in {where}{unharmed}.")
    except ReconcilerError as error:
        complain(f"error: {chain(error)}")
    return 1


def complain(text: str) -> None:
    """A message on stderr. What came from the engine or a registry may hold anything, and must not steer a terminal."""
    from reconciler.cli.render import clean

    sys.stdout.flush()
    print(clean(text), file=sys.stderr, flush=True)


def _reader_has_gone() -> int:
    """The reader of our output has left, as `head` does; that is no error of ours."""
    _give_up_output()
    return 128 + signal.SIGPIPE


def _give_up_output() -> None:
    """What is still in buffers goes nowhere, so that the interpreter does not try once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


def _is_about_output(error: OSError) -> bool:
    """Whether writing to stdout failed: files that a command writes are complained about by name."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT, errno.EFBIG)


def chain(error: BaseException) -> str:
    """The text of an error and of what it was raised from, where that says more; what to do about it stands last."""
    texts, hints = list[str](), list[str]()
    cause: BaseException | None = error
    while isinstance(cause, ReconcilerError):
        text, _, hint = str(cause).partition("\n    hint: ")
        if not texts or text not in texts[-1]:
            texts.append(text)
        hints += [hint] if hint else []
        cause = cause.__cause__
    return ": ".join(texts) + (f"\n    hint: {hints[0]}" if hints else "")


def _report_bug(error: Exception) -> int:
    if os.environ.get("RECONCILER_DEBUG"):
        raise error
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place is not None else ""
    print(
        f"error: a bug in reconciler: {type(error).__name__}: {error}{where}\n"
        "    hint: run it again with RECONCILER_DEBUG=1 and report what it prints",
        file=sys.stderr,
    )
    return 1


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    """The function of a command. Each module is imported only when its command runs."""
    if name in ("validate", "schema", "version", "completion"):
        from reconciler.cli import offline

        return {
            "validate": offline.validate,
            "schema": offline.schema,
            "version": offline.version,
            "completion": offline.completion,
        }[name]
    if name in ("status", "logs", "restart"):
        from reconciler.cli import looking

        return {"status": looking.status, "logs": looking.logs, "restart": looking.restart}[name]
    if name == "doctor":
        from reconciler.cli.doctor.command import doctor

        return doctor
    if name == "history":
        from reconciler.cli.history import history

        return history
    if name == "run":
        from reconciler.cli import running

        return running.run
    if name == "import":
        from reconciler.cli.importing import import_

        return import_
    from reconciler.cli import changing

    return {"plan": changing.plan, "apply": changing.apply, "drift": changing.drift, "destroy": changing.destroy}[name]
