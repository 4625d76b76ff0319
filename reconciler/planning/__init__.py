"""Desired state × observed state → plan. Pure.

In:     a DesiredState, an ObservedState, a Request.
Out:    a Plan in which every action is fully specified.
Never:  reads a file, a clock, the environment or the engine; logs; asks.
"""
