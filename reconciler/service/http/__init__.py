"""What a service shows and takes over HTTP: its health, what it knows, what happens, and a page for people.

In:     the instance's snapshot, what its observers are told, a journal; requests from this host or from a proxy on it.
Out:    JSON, events, a page; calls of the instance on behalf of whoever has the token.
Never:  an address that others can reach, a value that is secret, a traceback. Loaded only when `http` is on.
"""
