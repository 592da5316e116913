"""`GET /queue` and `DELETE /queue/{receipt handle}`: the queue in the envelopes of the guide."""

import uuid
from typing import Any
from urllib.parse import quote

from envision_worker.simulators.ensono.queue import FifoQueue, ReceiptHandleExpired, ReceiptHandleIsInvalid
from envision_worker.simulators.ensono.quota import QueueThrottled
from envision_worker.simulators.http import Request, Response, json_response


class QueueApi:
    """The calls under `/queue`.

    Attributes:
        nested_messages: the guide prints two envelopes; True puts messages, too, into the one that its empty answer has.
        error_status: HTTP status of errors; SQS says 400, and a bridge may pass the body on with 200.
    """

    def __init__(self, queue: FifoQueue) -> None:
        self.nested_messages = False
        self.error_status = 400
        self._queue = queue
        self._requests = 0

    def offers(self, method: str, path: tuple[str, ...]) -> bool:
        """Whether there is such a method and path.

        Args:
            path: segments behind `queue`.
        """
        return (method == "GET" and not path) or (method == "DELETE" and any(path))

    def answer(self, request: Request, path: tuple[str, ...]) -> Response:
        """Carry out a call of the right client with the right key."""
        try:
            return self._receive() if not path else self._delete(request, path)
        except QueueThrottled:
            return self._error("ThrottlingException", "Rate exceeded")

    def _receive(self) -> Response:
        messages = self._queue.receive()
        metadata = {"ResponseMetadata": {"RequestId": self._request_id()}}
        if messages and not self.nested_messages:
            return json_response(
                {"ReceiveMessageResponse": {**metadata, "ReceiveMessageResult": {"messages": messages}}}
            )
        inner = {**metadata, "ReceiveMessageResult": {"messages": messages or None}}
        return json_response({"ReceiveMessageResponse": {"ReceiveMessageResult": inner}})

    def _delete(self, request: Request, path: tuple[str, ...]) -> Response:
        try:
            self._queue.delete(_handle(request, path))
        except ReceiptHandleIsInvalid as exc:
            return self._error(
                "ReceiptHandleIsInvalid", f'The input receipt handle "{exc}" is not a valid receipt handle.'
            )
        except ReceiptHandleExpired as exc:
            reason = "Reason: The receipt handle has expired."
            return self._error("InvalidParameterValue", f"Value {exc} for parameter ReceiptHandle is invalid. {reason}")
        return json_response({"DeleteMessageResponse": {"ResponseMetadata": {"RequestId": self._request_id()}}})

    def _error(self, code: str, message: str) -> Response:
        error = {"Code": code, "Message": message, "Type": "Sender"}
        return json_response({"Error": error, "RequestId": self._request_id()}, self.error_status)

    def _request_id(self) -> str:
        self._requests += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, str(self._requests)))


def _handle(request: Request, path: tuple[str, ...]) -> str:
    """The handle as the queue gets to see it: one that wasn't URL-encoded, whole and once, arrives broken."""
    sent = "/".join(request.raw_path.split("/")[-len(path) :])
    decoded = "/".join(path)
    return decoded if sent.upper() == quote(decoded, safe="").upper() else decoded.replace("+", " ").replace("/", "")


def snapshot(queue: FifoQueue) -> dict[str, Any]:
    """For `GET /_simulator/queue`: what is where, and what was done."""
    return {
        "messages": [_shown(message) for message in queue.messages()],
        "failure_queue": [_shown(message) for message in queue.failure_queue],
        "expired": [_shown(message) for message in queue.expired],
        "journal": [{"call": type(entry).__name__.lower(), **vars(entry)} for entry in queue.journal],
    }


def _shown(message: Any) -> dict[str, Any]:
    facts = ("message_id", "group", "transaction_type", "sent_at", "receives", "hidden_until", "left_at")
    return {name: getattr(message, name) for name in facts}
