"""The types of the schema, one module for each room that they show."""
