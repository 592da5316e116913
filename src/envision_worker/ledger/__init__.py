"""The durable store: every message received, every effect, links, approvals, dead letters."""
