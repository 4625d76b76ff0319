"""Compose files and live containers → a spec.

compose/ reads files; translate makes the tables of a spec, running does it from containers; toml writes the text.
Every text keeps what was written beside what it came to, so that variables stay variables.
"""
