"""One project: its schedule, its passes, and the thread that brings the two together."""

from __future__ import annotations

import threading
from pathlib import Path

from reconciler.loop import schedule
from reconciler.loop.passes import Passes, Result
from reconciler.loop.schedule import Begin, Ended, Interrupt, Woken
from reconciler.loop.surroundings import Surroundings
from reconciler.loop.telling import Condition, ProjectStatus, ResourceStatus, StateChanged
from reconciler.loop.triggers import Cause, EngineEvent, Trigger
from reconciler.loop.watching import Watched
from reconciler.model.desired import IMAGE_CONTEXT, DesiredState
from reconciler.standing import standings

#: seconds after which a thread that waits shows that it lives
_SIGN_OF_LIFE = 5.0


class Project:
    """Safe to use from any thread; passes run in its own, `slots` of all projects' at a time."""

    def __init__(self, passes: Passes, around: Surroundings, slots: threading.BoundedSemaphore) -> None:
        self.passes = passes
        self.name = passes.name
        self.condition = Condition.STARTING
        self.text = ""
        self.last_good: float | None = None
        self.last_pass: float | None = None
        self._around = around
        self._slots = slots
        self._state = schedule.State(resync_at=around.clock.now())
        self._wake = threading.Condition()
        self._cancelled = threading.Event()
        self._stopping = False
        self._alive_at = around.clock.now()
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"project {self.name}")

    # --- from outside ------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.post(Cause.START)
        self._thread.start()

    def post(self, cause: Cause, text: str = "", event: EngineEvent | None = None) -> None:
        """Say "look again". Never waits for a pass."""
        trigger = Trigger(cause, self._around.clock.now(), text, event)
        with self._wake:
            before = self._state
            self._state, _ = self._step(trigger)
            if self._state is not before:
                self._wake.notify()

    def interrupt(self) -> None:
        """The pass that runs, if one does, begins nothing more; the next one is another matter."""
        with self._wake:
            if self._state.running:
                self._cancelled.set()

    def stop(self) -> None:
        """Begin nothing more; what is under way ends."""
        with self._wake:
            self._stopping = True
            self._cancelled.set()
            self._wake.notify()

    def join(self, timeout: float) -> bool:
        """Whether it has ended by then."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def silent_for(self) -> float:
        """Seconds since its thread, or something in its pass, last showed a sign of life."""
        return self._around.clock.now() - self._alive_at

    def sign_of_life(self) -> None:
        self._alive_at = self._around.clock.now()

    # --- its thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping:
            if not self.turn():
                self._rest()

    def turn(self) -> bool:
        """Run the pass that is due now; whether there was one."""
        triggers = self._begin()
        if triggers is None:
            return False
        with self._slots:
            self.sign_of_life()
            result = self.passes.run(triggers, self._cancelled)
        self._note(result)
        with self._wake:
            if not self._stopping:
                self._cancelled.clear()
            self._state, _ = self._step(result.ended)
        return True

    def due(self) -> float | None:
        """When the next pass begins, if nothing happens before."""
        return schedule.due(self._state, self._around.rules().timing)

    def _begin(self) -> tuple[Trigger, ...] | None:
        with self._wake:
            if self._stopping:
                return None
            self._state, commands = self._step(Woken())
            return next((command.triggers for command in commands if isinstance(command, Begin)), None)

    def _rest(self) -> None:
        with self._wake:
            self.sign_of_life()
            moment = self.due()
            wait = _SIGN_OF_LIFE if moment is None else moment - self._around.clock.now()
            if not self._stopping and wait > 0:
                self._wake.wait(min(_SIGN_OF_LIFE, wait))

    def look_after(self) -> None:
        """Called now and then by the instance while a pass runs: is there something newer that should interrupt it?"""
        with self._wake:
            if self._state.running and not self._stopping:
                self._state, commands = self._step(Woken())
                if any(isinstance(command, Interrupt) for command in commands):
                    self._cancelled.set()

    def _step(self, event: Trigger | Ended | Woken) -> tuple[schedule.State, tuple[schedule.Command, ...]]:
        rules = self._around.rules()
        return schedule.step(self._state, event, self._around.clock.now(), rules.timing, rules.random)

    def _note(self, result: Result) -> None:
        at = self._around.clock.wall()
        self.last_pass = at
        if result.condition is Condition.SETTLED:
            self.last_good = at
        before, self.condition = self.condition, result.condition
        other_mistake = self.condition is Condition.INVALID and self.text != result.text
        self.text = result.text
        if before is not self.condition or other_mistake:
            self._around.tell(StateChanged(self.name, before, self.condition, self.text, at))

    # --- how it is ---------------------------------------------------------------------------------------------

    def status(self) -> ProjectStatus:
        passes, clock = self.passes, self._around.clock
        made, judgement = passes.seen, passes.judgement
        suspended = self._around.suspended(self.name)
        held = judgement.held if judgement is not None else ()
        why = {item.address: item.text for item in held}
        with self._wake:
            running = self._state.running
            due = self.due()
        is_changing = running and (passes.is_acting or self.condition is Condition.OUT_OF_SYNC)
        found = standings(made) if made is not None else []
        return ProjectStatus(
            name=self.name,
            path=str(passes.source.directory),
            source=passes.source.status(),
            condition=Condition.CHANGING if is_changing else self.condition,
            text="" if passes.is_acting else self.text,
            attempted=passes.attempted,
            applied=passes.memory.revision,
            plan=made.plan if made is not None else None,
            held=held,
            resources=tuple(
                ResourceStatus(item, why.get(item.address, ""), suspended.covers(item.address)) for item in found
            ),
            failures=passes.memory.failures,
            problems=tuple(passes.problem.problems) if passes.problem is not None else (),
            is_suspended=suspended.whole,
            is_running=running,
            passes=passes.count,
            last_pass=self.last_pass,
            last_good=self.last_good,
            next_pass=None if due is None else clock.wall() + max(0.0, due - clock.now()),
        )

    def watched(self) -> Watched:
        """What it reads, so that changes of it are noticed."""
        return watched_by(self.passes.source.directory, self.passes.last_good, self.passes.source.own)


def watched_by(path: Path, desired: DesiredState | None, own: Path | None = None) -> Watched:
    """The directories of the spec and of what it reads, and the trees that its images are built from.

    Args:
        own: a directory that only we write to: a switch to another checkout is no news, and must not interrupt its own pass.
    """
    whole = path.absolute()
    flat = {str(whole if whole.is_dir() or not whole.suffix else whole.parent)}
    deep: set[str] = set()
    if desired is not None:
        flat |= {str(Path(file).absolute().parent) for file in desired.files}
        for name in desired.reads:
            if Path(name).is_dir():
                deep.add(name)
            else:
                flat.add(str(Path(name).parent))
        for image in desired.images():
            if image.build is not None:
                contexts = (image.build.context, *image.build.contexts.values())
                deep |= {context for context in contexts if not context.startswith(IMAGE_CONTEXT)}
    if own is not None:
        flat = {name for name in flat if not Path(name).is_relative_to(own)}
        deep = {name for name in deep if not Path(name).is_relative_to(own)}
    return Watched(frozenset(flat), frozenset(deep))
