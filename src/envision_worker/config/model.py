"""The whole configuration as one frozen object."""

from pydantic import Field

from envision_worker.config.frozen import Section
from envision_worker.config.mapping import MappingSettings
from envision_worker.config.sections import (
    ApprovalsSettings,
    HooksSettings,
    PolicySettings,
    ScopeSettings,
    WorkerSettings,
)
from envision_worker.desks.table import DeskSettings
from envision_worker.ensono.settings import AttachmentSettings, EnsonoSettings, QueueSettings
from envision_worker.ledger.settings import StateSettings
from envision_worker.telemetry.settings import HttpSettings, LogSettings


class Config(Section):
    """Everything the worker is told: one attribute for each table of the file. Made by `envision_worker.config.load.load`."""

    ensono: EnsonoSettings = Field(description="Envision Connect: where it is and who we are there.")
    queue: QueueSettings = Field(default_factory=QueueSettings, description="How Ensono's queue behaves.")
    worker: WorkerSettings = Field(default_factory=WorkerSettings, description="How much is done side by side.")
    desk: DeskSettings = Field(description="The company's own service desk.")
    attachments: AttachmentSettings = Field(
        default_factory=AttachmentSettings, description="Which files are fetched, and where they wait."
    )
    scope: ScopeSettings = Field(
        default_factory=ScopeSettings, description="Transactions that are deleted unprocessed."
    )
    policy: PolicySettings = Field(
        default_factory=PolicySettings, description="What the company has agreed with Ensono."
    )
    approvals: ApprovalsSettings = Field(default_factory=ApprovalsSettings, description="Approvals of changes.")
    mapping: MappingSettings = Field(
        default_factory=MappingSettings, description="Ensono's values as the desk calls them."
    )
    hooks: HooksSettings = Field(
        default_factory=HooksSettings, description="Calls from outside that only wake the polls."
    )
    state: StateSettings = Field(default_factory=StateSettings, description="The ledger.")
    http: HttpSettings = Field(default_factory=HttpSettings, description="Metrics, health and hooks.")
    log: LogSettings = Field(default_factory=LogSettings, description="The log.")
