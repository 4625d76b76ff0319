"""Actions in words."""

from __future__ import annotations

from reconciler.model.plan import (
    Action,
    AwaitReady,
    AwaitRemoval,
    BuildImage,
    Connect,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    DeliverFiles,
    Disconnect,
    Drain,
    OnContainer,
    PullImage,
    RemoveContainer,
    RemoveHolder,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RestartContainer,
    SignalContainer,
    StartContainer,
    StopContainer,
    TagImage,
    UnpauseContainer,
    UpdateContainer,
    WaitContainer,
)


def describe(action: Action) -> str:
    """One line that names the engine call and the object."""
    match action:
        case PullImage(reference):
            return f"pull image {reference}"
        case BuildImage(tags=tags):
            return f"build image {tags[0]}"
        case TagImage(image_id, reference):
            return f"tag image {image_id[7:19]} as {reference}"
        case RemoveImage(reference):
            return f"remove image {reference}"
        case CreateNetwork(name):
            return f"create network {name}"
        case RemoveNetwork(network):
            return f"remove network {network.name}"
        case Connect(network, container):
            return f"connect {container.name} to {network.name}"
        case Disconnect(network, container):
            return f"disconnect {container.name} from {network.name}"
        case CreateVolume(name):
            return f"create volume {name}"
        case RemoveVolume(name):
            return f"remove volume {name}"
        case RemoveHolder(volume):
            return f"remove volume {volume[:12]}, which held files"
        case _:
            return _describe_on_container(action)


def _describe_on_container(action: OnContainer) -> str:
    match action:
        case CreateContainer(name, image):
            return f"create container {name} from {image}"
        case RenameContainer(container, name):
            return f"rename container {container.name} to {name}"
        case UpdateContainer(container, config):
            return f"update container {container.name}: {', '.join(sorted(config))}"
        case WaitContainer(container, condition):
            return f"wait until {container.name} is {condition.value}"
        case AwaitReady(container):
            return f"wait until {container.name} is ready"
        case AwaitRemoval(container):
            return f"wait until the engine has removed {container.name}"
        case Drain(container, seconds):
            return f"let {container.name} serve for another {seconds:g} s"
        case StopContainer(container, timeout):
            return f"stop container {container.name} (up to {timeout} s)"
        case StartContainer(container):
            return f"start container {container.name}"
        case UnpauseContainer(container):
            return f"unpause container {container.name}"
        case RemoveContainer(container):
            return f"remove container {container.name}"
        case DeliverFiles(container, files):
            return f"put into {container.name}: {', '.join(file.path for file in files)}"
        case RestartContainer(container, timeout):
            return f"restart container {container.name} (up to {timeout} s)"
        case SignalContainer(container, signal):
            return f"send {signal} to container {container.name}"
