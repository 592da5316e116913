"""What is accepted but unusual: times outside the guide's advice, and what the sections themselves advise against."""

from typing import Protocol, runtime_checkable

from envision_worker.config.faults import Fault
from envision_worker.config.model import Config


@runtime_checkable
class _Advises(Protocol):
    """A section that has advice about its own values."""

    def advice(self) -> tuple[str, ...]:
        """One line each, `key: problem`."""
        ...


def warnings(config: Config) -> tuple[Fault, ...]:
    """Everything that a person should know about this configuration although it can be used, in the order of the sections."""
    sections = (getattr(config, name) for name in type(config).model_fields)
    lines = (line for section in sections if isinstance(section, _Advises) for line in section.advice())
    return tuple(Fault(key, problem) for key, _, problem in (line.partition(": ") for line in lines))
