"""Where specs come from: a directory, or a git repository.

    source = GitSource(settings, state_directory)      # or DirectorySource(path)
    source.current()     Revision | None   what is in source.directory; works while the server is away
    source.fetch()       Fetched           attempted, accepted, refusal; slow, so run it beside the passes; never raises
    source.take()        Revision | None   puts what was accepted into source.directory at once; between two passes
    source.directory     Path              where the spec is read; stays the same from revision to revision

A `GitSource` also keeps a `record` of what was attempted, accepted and applied last: the loop says the last by
`applied(revision)`, and after a pass `tidy(oldest_start)`, since running containers may mount files of older checkouts.
Two processes may use one state directory: one fetches, the other is told `not-now`.

`interface` has these types and the reasons of a refusal. `document` has the table of the configuration (`SOURCE`, to be
a field of another model) and `read_source`, which makes `GitSettings` of it. `webhook` says whether a request is
genuine (`verify_webhook`) and whether it `concerns` a source; then fetch at once. Nothing here knows the engine or
reads a spec.
"""
