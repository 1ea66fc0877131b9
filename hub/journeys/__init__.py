"""Journeys: in which segment and stage an account is, and what it has proved there.

The decisions (`progress`, `milestones`) are pure functions, `service` carries them out for a batch of accounts in a
fixed number of statements. Progress is made by rules and by events, and time alone is noticed too.
"""
