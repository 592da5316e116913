"""Which keys there are and what they take, read off the JSON Schema of the models.

The environment, the secret files, the messages about unknown keys and the schema for editors all go by this one description.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel

Node = Mapping[str, Any]

FILE_SUFFIX = "_file"
"""A secret `x` can also be given as the name of a file, `x_file`."""

_PATHS = frozenset({"path", "file-path", "directory-path"})


class Shape:
    """What the configuration may hold at one place.

    Args:
        alternatives: the plain JSON Schemas of which one has to fit; no references and no unions among them.
        definitions: what references point to.
    """

    def __init__(self, alternatives: Sequence[Node], definitions: Mapping[str, Node]) -> None:
        self._alternatives = alternatives
        self._definitions = definitions

    @classmethod
    def of(cls, model: type[BaseModel]) -> Self:
        """The shape of a whole model."""
        schema = model.model_json_schema()
        definitions = schema.get("$defs", {})
        return cls(tuple(_plain(schema, definitions)), definitions)

    def _shape(self, nodes: Sequence[Node]) -> "Shape":
        return Shape(tuple(plain for node in nodes for plain in _plain(node, self._definitions)), self._definitions)

    @cached_property
    def children(self) -> Mapping[str, "Shape"]:
        """The keys with a name of their own; a secret under its own name only, see `secrets`."""
        found: dict[str, list[Node]] = {}
        for alternative in self._alternatives:
            for key, node in alternative.get("properties", {}).items():
                found.setdefault(key, []).append(node)
        return {key: self._shape(nodes) for key, nodes in found.items()}

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Those keys that are secrets and can therefore be given as `x_file` too."""
        return tuple(key for key, child in self.children.items() if child.is_secret)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Every key that can be written here, the files of secrets included."""
        return (*self.children, *(name + FILE_SUFFIX for name in self.secrets))

    @cached_property
    def free_value(self) -> "Shape | None":
        """What a table takes under keys of the user's choice; None: it takes none."""
        tables = [node for node in self._alternatives if node.get("type") == "object"]
        free = [node.get("additionalProperties", True) for node in tables]
        nodes = [{} if node is True else node for node in free if node is not False]
        return self._shape(nodes) if nodes else None

    @cached_property
    def item(self) -> "Shape | None":
        """What a list takes; None: this is no list."""
        nodes = [node.get("items", {}) for node in self._alternatives if node.get("type") == "array"]
        return self._shape(nodes) if nodes else None

    def at(self, part: str | int) -> "Shape | None":
        """One step down; None: there is nothing known."""
        if isinstance(part, int):
            return self.item
        if part not in self.children and part.removesuffix(FILE_SUFFIX) in self.secrets:
            return _TEXT
        return self.children.get(part) or self.free_value

    @cached_property
    def is_secret(self) -> bool:
        """Whether its value must never be shown."""
        return any(node.get("writeOnly") for node in self._alternatives)

    @cached_property
    def is_path(self) -> bool:
        """Whether its value names a file or directory."""
        return any(node.get("format") in _PATHS for node in self._alternatives)

    @cached_property
    def takes_anything(self) -> bool:
        """Whether a value of any type is good here."""
        return any("type" not in node and "enum" not in node and "const" not in node for node in self._alternatives)

    @cached_property
    def takes_text_only(self) -> bool:
        """Whether nothing but text is good here."""
        types = [node.get("type", "string" if {"enum", "const"} & node.keys() else None) for node in self._alternatives]
        return set(types) - {"null"} == {"string"}

    @cached_property
    def description(self) -> str:
        """What the key is for, in one sentence; empty where nothing is told."""
        return next((node["description"] for node in self._alternatives if "description" in node), "")


def _plain(node: Node, definitions: Mapping[str, Node]) -> Iterator[Node]:
    """The node without references and unions; what stands beside a reference (its description) is kept."""
    beside = {key: value for key, value in node.items() if key not in {"$ref", "anyOf", "oneOf", "allOf"}}
    inner: list[Node] = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    if "$ref" in node:
        inner.append(definitions[node["$ref"].rpartition("/")[2]])
    if not inner:
        yield node
    for one in inner:
        for plain in _plain(one, definitions):
            yield {**plain, **beside}


_TEXT = Shape(({"type": "string"},), {})
