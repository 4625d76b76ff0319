"""Plan → report. Decides nothing.

In:     a checked Plan, an Engine.
Out:    a Report with one outcome for each change.
Never:  plans, raises for a change that failed, or touches what the plan does not name.
"""
