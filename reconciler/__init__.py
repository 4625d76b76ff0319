"""Make a Docker host match a directory of TOML files, and keep it matching."""

__version__ = "0.1.0"
