"""The customer-success hub."""
