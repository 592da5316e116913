"""A call of the API as an operation reads it: its ids, its `input_data`, its list options, its uploaded file.

Sources: the pages about input data (writes are forms with `input_data`, lists have it in the query) and attachments.
Strict as the live servers are: a parameter that a call does not take, or a key beside the entity, is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envision_worker.simulators.http import Request
from envision_worker.simulators.manageengine import multipart, refusals
from envision_worker.simulators.manageengine.fields import Field, taken
from envision_worker.simulators.manageengine.refusals import Complaint, Refusal
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.simulators.manageengine.world import World

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        ids: the variable parts of the path by name.
        ticket: the request or change it is about.
    """

    world: World
    request: Request
    ids: Mapping[str, str]
    ticket: Ticket | None = None

    @property
    def subject(self) -> Ticket:
        """The request or change it is about."""
        if self.ticket is None:
            raise refusals.not_found()
        return self.ticket

    def query(self, *known: str) -> dict[str, str]:
        """The query's parameters.

        Raises:
            Refusal: there are others than these.
        """
        values = self.request.query_values
        if values.keys() - set(known):
            raise refusals.extra_parameter()
        return values

    def expect_nothing(self) -> None:
        """Neither query nor body; some calls refuse any parameter."""
        self.query()
        if self.request.body:
            raise refusals.extra_parameter()

    def list_input(self) -> dict[str, Any]:
        """The `input_data` of a list, from the query; empty where there is none."""
        if self.request.body:
            raise refusals.extra_parameter()
        given = self.query("input_data").get("input_data")
        return {} if given is None else _json_object(given)

    def input_data(self, *query: str) -> dict[str, Any]:
        """The `input_data` of a write, from the form; `query` names the parameters that the query may have beside it."""
        self.query(*query)
        if self.request.media_type != FORM:
            raise Refusal(Complaint(refusals.CONTENT_TYPE, "Unsupported content type"))
        form = self.request.form_values
        if form.keys() - {"input_data"}:
            raise refusals.extra_parameter()
        if "input_data" not in form:
            raise refusals.missing("input_data")
        return _json_object(form["input_data"])

    def entity(
        self, key: str, fields: Mapping[str, Field], *, mandatory: tuple[str, ...] = (), query: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The fields of the entity in `input_data`, which wraps it in its singular key and holds nothing beside it."""
        given = wrapped(self.input_data(*query), key)
        return taken(fields, given, self.world, mandatory=mandatory)

    def upload(self, part: str, *, values: tuple[str, ...] = ()) -> multipart.Part:
        """The one uploaded file; `values` names the form values that may come with it."""
        parts = multipart.split(self.request)
        files = [each for each in parts if each.name == part and each.filename is not None]
        others = {each.name for each in parts if each.filename is None}
        if others - set(values) or len(files) + len(others) != len(parts):
            raise refusals.extra_parameter()
        if len(files) != 1:
            raise refusals.missing(part)
        return files[0]


def wrapped(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under this key, which must be the only one."""
    for each in data:
        if each != key:
            raise refusals.extra_key(each)
    if data.get(key) is None:
        raise refusals.missing(key)
    if not isinstance(data[key], dict):
        raise refusals.wrong_type(key)
    entity: dict[str, Any] = data[key]
    return entity


def _json_object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise refusals.invalid("input_data", "Invalid JSON format") from exc
    if not isinstance(data, dict):
        raise refusals.wrong_type("input_data")
    return data
