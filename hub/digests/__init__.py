"""Digests: once a day each owner is told what changed on their accounts, by a connection that carries messages.

`section` says when and by what, `gathering` reads what changed for many owners at once, `rendering` writes it as text
and HTML, and `jobs` sees to it that each owner gets one digest a day, whatever is killed meanwhile.
"""
