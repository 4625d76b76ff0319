"""The Docker Engine behind one interface.

In:     API bodies made by `encode`.
Out:    API answers, and `observe`'s ObservedState made from them by `decode`.
Never:  decides what should be done.
"""
