"""Text → DesiredState.

In:     TOML files, `.env` beside them, the environment.
Out:    DesiredState, or SpecError with every mistake and its place; the JSON Schema.
Never:  talks to an engine, runs a command, writes anything but a marker in the user's cache directory.
"""
