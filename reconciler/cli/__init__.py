"""The composition root: arguments → one pass → text or JSON.

In:     the command line and the environment.
Out:    results on stdout, progress and logs on stderr, an exit code.
Never:  decides about resources.
"""
