"""What the worker says about itself: log lines, metrics, health, systemd."""
