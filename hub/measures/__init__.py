"""Measures: one number, or nothing, about one account at one time.

`section` is the catalogue as the blueprint writes it, `sql` turns it into one statement, `service` computes
it, and `rules` are the conditions over measures that everything above is decided by.
"""
