"""Plays: defined engagements that start by themselves, address the right people, and do each of their steps once.

`section` says what a play is, `decisions` what comes next, `service` starts and ends runs, `steps` and `calls` carry
them out, `jobs` is the edge where the worker takes the runs that are due.
"""
