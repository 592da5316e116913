"""What all sections of the configuration share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file: frozen, without unknown keys, and without values in its error messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
