"""A simulated ManageEngine ServiceDesk Plus, API v3."""
