"""The provider: its queue, its tickets API and its messages."""
