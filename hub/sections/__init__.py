"""The blueprint of all rooms together: a whole document checked, what a draft of it would change, putting it in force.

Each room owns the model of its own section and knows what must fit between it and the sections below; here is the list
of them (`document`), and what follows for the accounts (`planning`, `applying`).
"""

from hub.sections.document import SECTIONS, check, checked, json_schema, read

__all__ = ["SECTIONS", "check", "checked", "json_schema", "read"]
