"""One TOML file, the environment and secret files become one frozen object; every fault is told at once."""
