"""Which services are meant: those without a profile, and those of the profiles that are switched on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.convert.compose.documents import fail
from reconciler.convert.compose.values import Map, flag
from reconciler.errors import UsageError
from reconciler.spec.problems import nearest

_SHARED = ("network_mode", "pid", "ipc")


def selected(services: Map, profiles: Iterable[str]) -> Map:
    """The services of the profiles, in the order of the file.

    Raises:
        SpecError: one of them needs a service that is not there, or whose profile is not switched on.
    """
    wanted = set(profiles)
    known = {str(profile) for service in services.values() for profile in (service or {}).get("profiles") or ()}
    for profile in sorted(wanted - known - {"*"}):
        if known:
            near = nearest(profile, known)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"
            raise UsageError(f"no service has the profile {profile!r}\n    hint: {hint}")
    made = Map(services.own)
    for name, service in services.items():
        of_service = {str(profile) for profile in (service or {}).get("profiles") or ()}
        if not of_service or "*" in wanted or of_service & wanted:
            made.put(name, service if service is not None else Map(services.place(name)), services.place(name))
    for name, service in made.items():
        for key, other in needed(service):
            if other not in made:
                place, subject = service.place(key), f"services.{name}.{key}"
                if other in services:
                    profile = str(next(iter(services[other]["profiles"])))
                    hint = f"import with --profile {profile} too, or write required: false"
                    raise fail(place, f"needs '{other}', which is of another profile", hint, subject)
                near = nearest(other, services)
                raise fail(place, f"there is no service '{other}'", f"did you mean '{near}'?" if near else "", subject)
    return made


def needed(service: Mapping[str, object]) -> list[tuple[str, str]]:
    """(option, other service) for each service that one cannot do without."""
    found = []
    depends_on = service.get("depends_on")
    for name, settings in depends_on.items() if isinstance(depends_on, Map) else ():
        if not (isinstance(settings, Map) and flag(settings.get("required")) is False):
            found.append(("depends_on", str(name)))
    for key in _SHARED:
        mode = str(service.get(key) or "")
        if mode.startswith("service:"):
            found.append((key, mode.removeprefix("service:")))
    links, volumes_from = service.get("links"), service.get("volumes_from")
    found += [("links", str(link).partition(":")[0]) for link in (links if isinstance(links, list) else ())]
    entries = [str(entry) for entry in (volumes_from if isinstance(volumes_from, list) else ())]
    return found + [
        ("volumes_from", entry.partition(":")[0]) for entry in entries if not entry.startswith("container:")
    ]
