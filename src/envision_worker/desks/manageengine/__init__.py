"""ManageEngine ServiceDesk Plus, API v3, on premises and in the cloud."""
