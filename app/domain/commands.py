"""Describe what people order the platform to do; each command is a durable row that can be followed."""

from enum import StrEnum


class CommandKind(StrEnum):
    """Name what a person can order."""

    KILL_SWITCH = "KILL_SWITCH"
    SQUARE_OFF = "SQUARE_OFF"
    TRIGGER_PHASE = "TRIGGER_PHASE"
    RETRY_LOGIN = "RETRY_LOGIN"
    PAUSE_DEPLOYMENT = "PAUSE_DEPLOYMENT"
    RESUME_DEPLOYMENT = "RESUME_DEPLOYMENT"
    RESOLVE_UNKNOWN = "RESOLVE_UNKNOWN"


class CommandStatus(StrEnum):
    """Say how far a command is; PENDING ones survive a dead queue and are sent again."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class ControlScope(StrEnum):
    """Say whose trading a kill switch stops."""

    TENANT = "tenant"
    BROKER = "broker"
    FAMILY = "family"
    USER = "user"
    ACCOUNT = "account"
    DEPLOYMENT = "deployment"


class ControlAction(StrEnum):
    """Say what a kill switch does: stop and flatten, stop opening, or let trade again."""

    HALT = "HALT"
    REDUCE = "REDUCE"
    RESUME = "RESUME"
