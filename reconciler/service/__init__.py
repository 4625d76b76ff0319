"""What a long-running process needs besides the loop: configuration, signals, telling systemd, logs.

In:     config.toml, RECONCILER_* variables, signals.
Out:    a running `loop.Instance`; READY, STATUS and WATCHDOG for systemd; log lines.
Never:  decides anything about a resource.
"""
