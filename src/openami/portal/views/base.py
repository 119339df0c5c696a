"""What every view shares: closed models, the error document and the words of quality."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class View(BaseModel):
    """A closed, frozen answer: an unknown field is a mistake on our side."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Quality(StrEnum):
    """State of one value, in the words of the screen."""

    ACTUAL = "actual"
    ESTIMATED = "estimated"
    MISSING = "missing"
    EDITED = "edited"
    OUTAGE = "outage"
    QUESTIONABLE = "questionable"


class ErrorDocument(View):
    """What went wrong, what is safe, what to do; the reference finds it in our logs."""

    code: str = Field(examples=["not_signed_in"])
    message: str = Field(description="One sentence for the person.")
    mend: str = Field(description="What the person can do now.")
    reference: str = Field(description="Twelve characters that name this failure in our logs.")
