"""What can go wrong with one call that changes something."""

from enum import StrEnum


class Fault(StrEnum):
    """The names are what `make faults` takes and prints."""

    KILL_BEFORE = "kill-before"
    KILL_AFTER = "kill-after"
    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"
    LATE = "late"
    DELAY = "delay"
    GARBLED = "garbled"
    PAGE = "page"
    TRUNCATED = "truncated"
    REFUSED_500 = "500"
    REFUSED_409 = "409"
    REFUSED_404 = "404"


MEANINGS = {
    Fault.KILL_BEFORE: "the program is killed (SIGKILL) as it sends the call, which never arrives",
    Fault.KILL_AFTER: "the program is killed when the call has taken effect, before it has the answer",
    Fault.CUT_BEFORE: "the connection ends, and the call never arrives",
    Fault.CUT_AFTER: "the connection ends when the call has taken effect, without an answer",
    Fault.LATE: "the connection ends, and the call takes effect half a second later, whatever was done meanwhile",
    Fault.DELAY: "the call arrives a second late",
    Fault.GARBLED: "the call takes effect, and what comes back is not HTTP",
    Fault.PAGE: "the call takes effect, and what comes back is status 200 with a page of HTML",
    Fault.TRUNCATED: "the call takes effect, and the connection ends in the middle of the answer",
    Fault.REFUSED_500: "the engine says 500 and does nothing",
    Fault.REFUSED_409: "the engine says 409 and does nothing",
    Fault.REFUSED_404: "the engine says 404 and does nothing",
}
