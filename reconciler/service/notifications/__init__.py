"""Telling people: transitions → notices, each told once → services, webhooks, commit statuses.

In:     what the loop tells; `[[notify]]` of the configuration.
Out:    requests, from threads of its own.
Never:  makes a pass wait, or tells a secret.
"""
