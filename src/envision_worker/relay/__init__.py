"""Desk to provider: decisions on approvals."""
