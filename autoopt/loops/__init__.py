"""The user's own training loop as a cohort: a function of a ``Trial`` that waits wherever it reports.

A loop pushes its reports, a cohort is asked for them. So every run has a thread of its own, and a baton goes from
thread to thread: one works, all others wait.

May import: torch, and of autoopt ``subject``, ``space``, ``training``, ``tasks``, ``catalogue`` and below.
Never: search, records, verdict.
"""
