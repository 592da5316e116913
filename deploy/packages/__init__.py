"""Builds what the worker is installed from: `PYTHONPATH=deploy python -m packages wheel | bundle | deb`."""
