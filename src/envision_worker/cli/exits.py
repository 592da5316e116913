"""Exit codes (contract, section 2); systemd knows them by these names."""

OK = 0
USAGE = 64
NO_INPUT = 66
UNAVAILABLE = 69
TEMPORARY_FAILURE = 75
CONFIGURATION = 78
INTERRUPTED = 130
