"""Exit codes (contract, section 2); sysexits.h and systemd know them by these names."""

OK = 0
USAGE = 64
NO_INPUT = 66
UNAVAILABLE = 69
SOFTWARE = 70
OUTPUT = 74
TEMPORARY_FAILURE = 75
CONFIGURATION = 78
INTERRUPTED = 130
