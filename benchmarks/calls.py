"""The same HTTP calls without the worker: one after the other, or side by side as fast as they go; no logic, no ledger.

Run as a process: `python -m benchmarks.calls WAY ENSONO_URL DESK_URL MESSAGES`. Says `ready` on stdout, begins at a line on stdin,
and ends with one line of JSON.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks import work
from benchmarks.processes import Usage

READS_AT_ONCE = 6
_TIMEOUT_S = 60.0

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests, made as httpx's documentation shows it."""

    client: httpx.Client | httpx.AsyncClient
    ensono: str
    desk: str

    def read(self) -> httpx.Request:
        return self.client.build_request("GET", f"{self.ensono}/dev/queue", headers={"x-api-key": work.API_KEY})

    def delete(self, handle: str) -> httpx.Request:
        url = f"{self.ensono}/dev/queue/{quote(handle, safe='')}"
        return self.client.build_request("DELETE", url, headers={"x-api-key": work.API_KEY})

    def returnptn(self, number: str, desk_id: str) -> httpx.Request:
        payload = {"clientName": work.CLIENT, "ticketType": "Incident", "clientTicketNumber": desk_id}
        url = f"{self.ensono}/dev/tickets/{number}/returnptn"
        return self.client.build_request("PUT", url, headers={"x-api-key": work.API_KEY}, json={"payload": payload})

    def find(self, number: str) -> httpx.Request:
        criterion = {"field": f"udf_fields.{work.NUMBER_FIELD}", "condition": "is", "value": number}
        list_info = {"row_count": 100, "start_index": 1, "search_criteria": criterion}
        params = {"input_data": json.dumps({"list_info": list_info})}
        return self.client.build_request("GET", f"{self.desk}/api/v3/requests", params=params, headers=self._key())

    def write(self, method: str, path: str, body: dict[str, Any]) -> httpx.Request:
        data = {"input_data": json.dumps(body)}
        return self.client.build_request(method, f"{self.desk}/api/v3/requests{path}", data=data, headers=self._key())

    def _key(self) -> dict[str, str]:
        return {"authtoken": work.AUTH_TOKEN, "Accept": "application/vnd.manageengine.sdp.v3+json"}

    def writes(self, message: dict[str, Any], desk_id: str) -> list[httpx.Request]:
        """What a message other than a Create does to the desk."""
        body = message["Body"]
        match message["Attributes"]["TransactionType"]:
            case "Notes":
                note = {"description": body["notes"]["body"], "show_to_requester": True}
                return [self.write("POST", f"/{desk_id}/notes", {"note": note})]
            case "Update":
                return [self.write("PUT", f"/{desk_id}", {"request": {"subject": body["changed"]["shortDescription"]}})]
            case _:
                resolution = {"content": body["closeNotes"]}
                status = {"name": "Resolved"}
                return [
                    self.write("POST", f"/{desk_id}/resolutions", {"resolution": resolution}),
                    self.write("PUT", f"/{desk_id}", {"request": {"status": status}}),
                ]

    def create(self, message: dict[str, Any]) -> httpx.Request:
        body = message["Body"]
        request = {
            "subject": body["shortDescription"],
            "description": body["description"],
            "requester": {"email_id": "ensono@example.com"},
            "udf_fields": {work.NUMBER_FIELD: body["ticketNumber"]},
        }
        return self.write("POST", "", {"request": request})


def _messages(answer: httpx.Response) -> list[dict[str, Any]]:
    result = answer.json()["ReceiveMessageResponse"]["ReceiveMessageResult"]
    return result.get("messages") or []


# --- one after the other ---------------------------------------------------------------------------------------------


def sequential(ensono: str, desk: str, messages: int) -> float:
    """The loop that one writes in an afternoon."""
    with httpx.Client(timeout=_TIMEOUT_S) as client:
        make = Requests(client, ensono, desk)
        ids: dict[str, str] = {}
        done, began = 0, _started()

        def call(request: httpx.Request) -> httpx.Response:
            return client.send(request).raise_for_status()

        while done < messages:
            for message in _messages(call(make.read())):
                number = message["Body"]["ticketNumber"]
                if message["Attributes"]["TransactionType"] == "Create":
                    if not call(make.find(number)).json()["requests"]:
                        ids[number] = call(make.create(message)).json()["request"]["id"]
                    call(make.returnptn(number, ids[number]))
                else:
                    for request in make.writes(message, ids[number]):
                        call(request)
                call(make.delete(message["ReceiptHandle"]))
                done += 1
        return time.process_time() - began


# --- side by side ----------------------------------------------------------------------------------------------------


class SideBySide:
    """Reads, and one chain of calls for each ticket of a read; nothing else."""

    def __init__(
        self, client: httpx.AsyncClient, ensono: str, desk: str, *, messages: int, at_desk: int, lanes: int
    ) -> None:
        self._client = client
        self._make = Requests(client, ensono, desk)
        self._left = messages
        self._desk = asyncio.Semaphore(at_desk)
        self._lanes = asyncio.Semaphore(lanes)
        self._ids: dict[str, str] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as lanes:
            await asyncio.gather(*(self._read(lanes) for _ in range(READS_AT_ONCE)))

    async def _read(self, lanes: asyncio.TaskGroup) -> None:
        while self._left:
            async with self._lanes:
                pass
            tickets: dict[str, list[dict[str, Any]]] = {}
            messages = _messages(await self._send(self._make.read()))
            self._left -= len(messages)
            for message in messages:
                tickets.setdefault(message["Body"]["ticketNumber"], []).append(message)
            for number, of_ticket in tickets.items():
                lanes.create_task(self._lane(number, of_ticket))

    async def _lane(self, number: str, messages: list[dict[str, Any]]) -> None:
        async with self._lanes:
            for message in messages:
                if message["Attributes"]["TransactionType"] == "Create":
                    await self._at_desk(self._make.find(number))
                    made = await self._at_desk(self._make.create(message))
                    self._ids[number] = made.json()["request"]["id"]
                    await self._send(self._make.returnptn(number, self._ids[number]))
                else:
                    for request in self._make.writes(message, self._ids[number]):
                        await self._at_desk(request)
                await self._send(self._make.delete(message["ReceiptHandle"]))

    async def _at_desk(self, request: httpx.Request) -> httpx.Response:
        async with self._desk:
            return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return (await self._client.send(request)).raise_for_status()


def _client(way: str, connections: int) -> httpx.AsyncClient:
    if way == "floor":
        from envision_worker.wire import new_client  # noqa: PLC0415 - plain httpx must not pay for loading it

        return new_client(timeout_s=_TIMEOUT_S, max_connections=connections)
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(timeout=_TIMEOUT_S, limits=limits)


async def side_by_side(way: str, ensono: str, desk: str, messages: int, at_desk: int, lanes: int) -> float:
    async with _client(way, at_desk + lanes + READS_AT_ONCE) as client:
        calls = SideBySide(client, ensono, desk, messages=messages, at_desk=at_desk, lanes=lanes)
        began = _started()
        await calls.run()
        return time.process_time() - began


def _started() -> float:
    """Say that everything is loaded and wait for the word; returns the processor time used up to then."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return time.process_time()


def main() -> None:
    way, ensono, desk, messages, at_desk, lanes = sys.argv[1:]
    if way == "sequential":
        cpu_s = sequential(ensono, desk, int(messages))
    else:
        cpu_s = asyncio.run(side_by_side(way, ensono, desk, int(messages), int(at_desk), int(lanes)))
    sys.stdout.write(json.dumps({"cpu_s": cpu_s, "peak_mb": Usage.of(os.getpid()).peak_mb}) + "\n")


if __name__ == "__main__":
    main()
