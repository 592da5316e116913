"""Receipt handles: long, different for every delivery, and telling by themselves whether they are real and until when."""

import base64
import binascii
import hashlib
import struct

_PREFIX = b"\x01\x01\x01"  # handles of SQS begin with AQEB
_FACTS = struct.Struct(">QIdB")  # serial, delivery, expires_at, attempt
_LENGTH = 284  # bytes, which base64 writes as 380 characters with one = at the end


class ReceiptHandles:
    """Issues handles and reads them back; those of one seed are worth nothing at another."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()

    def issue(self, serial: int, delivery: int, expires_at: float) -> str:
        """A handle for one delivery of one message, with at least one `/` and `+` and a `=` in it."""
        for attempt in range(256):
            facts = _FACTS.pack(serial, delivery, expires_at, attempt)
            handle = base64.b64encode(_PREFIX + facts + self._filling(facts)).decode()
            if "/" in handle and "+" in handle:
                return handle
        raise AssertionError("256 random texts without a slash or a plus")

    def read(self, handle: str) -> tuple[int, float] | None:
        """Serial of the message and moment of expiry; None: never issued here."""
        try:
            raw = base64.b64decode(handle, validate=True)
        except (binascii.Error, ValueError):
            return None
        facts = raw[len(_PREFIX) : len(_PREFIX) + _FACTS.size]
        if len(raw) != _LENGTH or raw != _PREFIX + facts + self._filling(facts):
            return None
        serial, _, expires_at, _ = _FACTS.unpack(facts)
        return serial, expires_at

    def _filling(self, facts: bytes) -> bytes:
        return hashlib.shake_256(self._key + facts).digest(_LENGTH - len(_PREFIX) - _FACTS.size)
