"""Compose files → one project, as Docker Compose understands them.

documents (YAML) → schema → canonical forms → merging, for each file; project for all of them; selection by profiles.
"""
