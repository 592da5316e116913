"""ServiceDesk Plus for the benchmark: the few calls that the work needs, and a journal of what was done to each ticket."""

import argparse
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs

from benchmarks import work
from benchmarks.lean import Answer, Asked, serve

_DONE = {"response_status": {"status_code": 2000, "status": "success"}}
_MARK = re.compile(r"#\d")


class Desk:
    """The calls."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._tickets: dict[str, dict[str, Any]] = {}
        self._by_number: dict[str, list[str]] = {}
        self._journal: dict[str, list[str]] = {}
        self._notes = 0
        self._busy: list[float] = []
        self._most_at_once = 0
        self.calls: dict[str, int] = {}
        self.uploads: list[tuple[int, str]] = []

    def __call__(self, asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        parts = path.split("/")
        if parts[1] == "bench":
            return Answer(200, self.report())
        if work.AUTH_TOKEN.encode() not in asked.head:
            return Answer(401, {"response_status": {"status_code": 401, "status": "failed"}})
        self._count()
        sent = _sent(query if asked.method == "GET" else asked.body.decode())
        name, status, document = self._carried_out(asked, parts[3:], sent)
        self.calls[name] = self.calls.get(name, 0) + 1
        return Answer(status, document | _DONE, self._latency_s)

    def _carried_out(self, asked: Asked, parts: list[str], sent: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        match asked.method, parts:
            case "GET", ["changes"]:
                return "find_changes", 200, {"changes": [], "list_info": {"has_more_rows": False, "row_count": 0}}
            case "GET", ["requests"]:
                return "find", 200, self._found(sent)
            case "GET", [_, identifier]:
                return "read_request", 200, {"request": self._tickets[identifier]}
            case "POST", ["requests"]:
                return "create", 201, {"request": self._created(sent["request"])}
            case "POST", ["requests", identifier, "notes"]:
                self._notes += 1
                self._wrote(identifier, "note", sent["note"]["description"])
                return "note", 201, {"note": {"id": str(self._notes), "description": sent["note"]["description"]}}
            case "POST", ["requests", identifier, "resolutions"]:
                self._wrote(identifier, "resolution", sent["resolution"]["content"])
                return "resolution", 201, {}
            case "PUT", ["requests", identifier, "upload"]:
                self.uploads.append((asked.length, asked.digest))
                return "upload", 200, {"attachment": {"id": "1", "name": "export.bin"}}
            case "PUT", ["requests", identifier]:
                self._set(identifier, sent["request"])
                return "update", 200, {"request": self._tickets[identifier]}
            case "GET", ["requests", _, "attachments"]:
                return "files", 200, {"attachments": [], "list_info": {"has_more_rows": False, "row_count": 0}}
            case _:
                raise LookupError(f"{asked.method} {asked.target}")

    def _found(self, sent: dict[str, Any]) -> dict[str, Any]:
        criteria = sent["list_info"].get("search_criteria", {})
        hits = [self._tickets[each] for each in self._by_number.get(criteria.get("value", ""), [])]
        return {"requests": hits, "list_info": {"has_more_rows": False, "row_count": len(hits)}}

    def _created(self, sent: dict[str, Any]) -> dict[str, Any]:
        identifier = str(len(self._tickets) + 1)
        now = {"display_value": "now", "value": str(int(time.time() * 1000))}
        status = sent.get("status", {"name": "Open"})
        self._tickets[identifier] = sent | {
            "id": identifier,
            "created_time": now,
            "status": status,
            "is_trashed": False,
        }
        self._by_number.setdefault(sent["udf_fields"][work.NUMBER_FIELD], []).append(identifier)
        self._wrote(identifier, "create", sent["subject"])
        return self._tickets[identifier]

    def _set(self, identifier: str, sent: dict[str, Any]) -> None:
        self._tickets[identifier] |= sent
        if "status" in sent:
            self._journal[identifier].append(f"status {sent['status']['name']}")
        if "subject" in sent:
            self._wrote(identifier, "update", sent["subject"])

    def _wrote(self, identifier: str, what: str, text: str) -> None:
        mark = _MARK.search(text)
        self._journal.setdefault(identifier, []).append(f"{what} {mark[0] if mark else '?'}")

    def _count(self) -> None:
        now = time.monotonic()
        self._busy = [until for until in self._busy if until > now]
        self._busy.append(now + self._latency_s)
        self._most_at_once = max(self._most_at_once, len(self._busy))

    def report(self) -> dict[str, Any]:
        wrong = [
            f"{self._tickets[each]['udf_fields'][work.NUMBER_FIELD]}: {', '.join(journal)}"
            for each, journal in self._journal.items()
            if tuple(journal) != work.EFFECTS
        ]
        twice = sum(len(ids) - 1 for ids in self._by_number.values())
        return {
            "tickets": len(self._tickets),
            "tickets_twice": twice,
            "wrong": len(wrong),
            "wrong_ones": wrong[:5],
            "most_at_once": self._most_at_once,
            "calls": self.calls,
            "uploads": self.uploads,
        }


def _sent(form: str) -> dict[str, Any]:
    given = parse_qs(form).get("input_data")
    return json.loads(given[0]) if given else {}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=work.DESK_S)
    serve(Desk(parser.parse_args().latency))


if __name__ == "__main__":
    main()
