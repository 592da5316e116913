"""Why a gate is closed."""

from enum import StrEnum


class Reason(StrEnum):
    """As logs and metrics call it."""

    THROTTLED = "throttled"
    KEY_REFUSED = "key_refused"
    CONFIGURATION = "configuration"
    WRITES_FAIL = "writes_fail"
    """Different tickets' writes fail, though the probe works."""
    NUMBER_NOT_TAKEN = "number_not_taken"
    """A ticket's number could not be returned twice, and nobody's was since: the tickets API knows no bad tickets."""
    PROBE_FAILED = "probe_failed"
