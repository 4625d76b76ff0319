"""Events of the engine in memory: what differs after a call, told as dockerd tells it."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
_LIVE = ("running", "paused", "restarting")


class Subscription:
    """Implements `reconciler.engine.interface.Events`."""

    def __init__(self, backlog: Sequence[Json], filters: Mapping[str, Sequence[str]]) -> None:
        self._queue: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._filters = filters
        for event in backlog:
            self.tell(event)

    def tell(self, event: Json) -> None:
        types, actions = self._filters.get("type"), self._filters.get("event")
        if types and event["Type"] not in types:
            return
        if actions and not any(event["Action"].startswith(action) for action in actions):
            return
        self._queue.put(event)

    def __iter__(self) -> Iterator[Json]:
        while (event := self._queue.get()) is not None:
            yield event

    def close(self) -> None:
        self._queue.put(None)


class Broadcast:
    """Tells subscribers what has changed; remembers the last 256 events, as the engine does.

    Nothing is compared before somebody has subscribed: most tests do not.
    """

    def __init__(self) -> None:
        self._subscribers: list[Subscription] = []
        self._past: deque[Json] = deque(maxlen=256)
        self._lock = threading.Lock()
        self._nanos = 0
        self.is_used = False

    def subscribe(self, since: str, filters: Mapping[str, Sequence[str]]) -> Subscription:
        with self._lock:
            self.is_used = True
            seconds, _, fraction = since.partition(".")
            after = int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0")[:9]) if since else None
            past = [event for event in self._past if after is not None and event["timeNano"] >= after]
            made = Subscription(past, filters)
            self._subscribers.append(made)
            return made

    def attach(self, told: Callable[[Json], None]) -> None:
        """Have a function told everything as it happens, in the thread that does it."""
        subscription = Subscription((), {})
        subscription.tell = told  # type: ignore[method-assign]
        with self._lock:
            self.is_used = True
            self._subscribers.append(subscription)

    def lose_everyone(self, *, forget: bool = False) -> None:
        """The engine goes: each stream ends, as if there were no more events; a new one remembers none."""
        with self._lock:
            ended, self._subscribers = self._subscribers, []
            if forget:
                self._past.clear()
        for subscription in ended:
            subscription.close()

    def emit(self, kind: str, action: str, object_id: str, attributes: Mapping[str, str]) -> None:
        with self._lock:
            self._nanos = max(self._nanos + 1, time.time_ns())
            event = {
                "Type": kind, "Action": action, "Actor": {"ID": object_id, "Attributes": dict(attributes)},
                "scope": "local", "time": self._nanos // 10**9, "timeNano": self._nanos,
            }  # fmt: skip
            self._past.append(event)
            for subscription in self._subscribers:
                subscription.tell(event)

    def tell_difference(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """`before` and `after` are pictures (see `picture`)."""
        self._containers(before["containers"], after["containers"])
        for network_id in before["networks"].keys() | after["networks"].keys():
            self._network(network_id, before["networks"].get(network_id), after["networks"].get(network_id))
        for name in before["volumes"] ^ after["volumes"]:
            self.emit("volume", "create" if name in after["volumes"] else "destroy", name, {"driver": "local"})
        for tag, image_id in before["tags"].items():
            if after["tags"].get(tag) != image_id:
                self.emit("image", "untag", image_id, {"name": tag})
        for tag, image_id in after["tags"].items():
            if before["tags"].get(tag) != image_id:
                self.emit("image", "tag", image_id, {"name": tag})

    def _containers(self, before: Mapping[str, Json], after: Mapping[str, Json]) -> None:
        for container_id, now in after.items():
            then = before.get(container_id)
            about = {**now["labels"], "name": now["name"], "image": now["image"]}
            if then is None:
                self.emit("container", "create", container_id, about)
                then = {**now, "status": "created", "health": ""}
            for action in _actions(then, now):
                self.emit("container", action, container_id, about)
        for container_id, then in before.items():
            if container_id not in after:
                about = {**then["labels"], "name": then["name"], "image": then["image"]}
                if then["status"] in _LIVE:
                    self.emit("container", "die", container_id, about)
                self.emit("container", "destroy", container_id, about)

    def _network(self, network_id: str, before: Json | None, after: Json | None) -> None:
        named = (after or before or {})["name"]
        about = {"name": named, "type": "bridge"}
        if before is None:
            self.emit("network", "create", network_id, about)
        for member in sorted((before or {"members": set()})["members"] - (after or {"members": set()})["members"]):
            self.emit("network", "disconnect", network_id, {**about, "container": member})
        for member in sorted((after or {"members": set()})["members"] - (before or {"members": set()})["members"]):
            self.emit("network", "connect", network_id, {**about, "container": member})
        if after is None:
            self.emit("network", "destroy", network_id, about)


def _actions(then: Json, now: Json) -> Iterator[str]:
    if then["name"] != now["name"]:
        yield "rename"
    before, after = then["status"], now["status"]
    if before in _LIVE and (after not in _LIVE or after == "restarting" != before):
        yield "die"
    elif before == "running" and after == "paused":
        yield "pause"
    elif before == "paused" and after == "running":
        yield "unpause"
    elif after in _LIVE and before not in _LIVE:
        yield "start"
    elif then["started"] != now["started"] and after in _LIVE:
        yield "die"
        yield "start"
    if now["health"] and now["health"] != then["health"]:
        yield f"health_status: {now['health']}"
    if then["settings"] != now["settings"]:
        yield "update"


def picture(engine: Any) -> Json:
    """What events are told of, in a form that can be compared."""
    containers, members = {}, dict[str, set[str]]()
    for container_id, item in engine.containers.all.items():
        state = item["State"]
        containers[container_id] = {
            "name": item["Name"][1:], "labels": dict(item["Config"]["Labels"] or {}), "image": item["Config"]["Image"],
            "status": state["Status"], "health": (state.get("Health") or {}).get("Status") or "",
            "started": state.get("StartedAt"), "settings": repr(item["HostConfig"]),
        }  # fmt: skip
        if state["Status"] in _LIVE:
            for endpoint in item["NetworkSettings"]["Networks"].values():
                if endpoint.get("NetworkID"):
                    members.setdefault(endpoint["NetworkID"], set()).add(container_id)
    networks = {
        key: {"name": item["Name"], "members": members.get(key, set())} for key, item in engine.networks.all.items()
    }
    tags = {tag: item["Id"] for item in engine.images.listed() for tag in item["RepoTags"] or ()}
    return {"containers": containers, "networks": networks, "volumes": set(engine.volumes), "tags": tags}
