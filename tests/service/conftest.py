"""What the loop tells, made by the loop itself on the engine in memory."""

from tests.loop.conftest import simulation

__all__ = ["simulation"]
