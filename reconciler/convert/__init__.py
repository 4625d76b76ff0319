"""Compose files and live containers → a spec.

documents (YAML) → project (merged, every reference understood) → translate (the tables of a spec) → toml (the text).
Every text keeps what was written beside what it came to, so that variables stay variables.
"""
