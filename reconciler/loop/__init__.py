"""The loop: triggers → one pass → when to look again.

In:     triggers (files, events of the engine, commits, the clock, a person), which only say "look again".
Out:    passes, one at a time for each project; what observers are told; a snapshot of everything.
Never:  acts on a trigger's content. A lost trigger costs time, never correctness.
"""
