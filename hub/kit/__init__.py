"""The ground floor: clock, database, queue, work lists, outbox, broadcast, encryption, settings, errors.

Nothing in here knows what an account or a play is.
"""
