"""Service desks: one contract, one folder for each product."""
