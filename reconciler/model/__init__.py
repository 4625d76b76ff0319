"""The nouns: frozen values, standard library only.

In:     nothing.
Out:    addresses, options, configs, desired and observed state, plans, reports.
Never:  reads a file, a clock, the environment or the engine.
"""
