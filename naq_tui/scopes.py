"""The places in which keys have a meaning."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ACTS", "Scope"]


class Scope(StrEnum):
    """Where a command works; the value is its heading in the help."""

    APP = "Everywhere"
    PAST = "In the past"
    OVERVIEW = "Overview"
    MOVE = "Moving in a list or a text"
    TABLE = "Queues and workers"
    SORT = "In a table"
    COLUMNS = "While choosing columns"
    MARK = "In a table of what can be acted on"
    FEED = "Events"
    TYPING = "While typing a filter"
    COMPLETING = "While typing a filter of events"
    JOBS = "Jobs"
    FAILURES = "Failures, in jobs"
    MOMENT = "While typing a moment"
    PANED = "In a view with details"
    EVENTS = "In the view of events"
    QUEUES = "In the view of queues"
    WORKERS = "In the view of workers"
    WORKER = "In a worker"
    WRITING = "While naming a file"
    SCHEDULES = "Schedules"
    SCHEDULE = "In a schedule"
    STATISTICS = "Statistics"
    SERVER = "Server"
    ALERTS = "Alerts"
    JOB_ACTS = "What can be done to a job"
    QUEUE_ACTS = "What can be done to a queue"
    WORKER_ACTS = "What can be done to a worker"
    SCHEDULE_ACTS = "What can be done to a schedule"
    ALERT_ACTS = "What can be done to an alert"
    CONFIRM = "Before something is done"
    SECTIONS = "In a page of sections"
    JOB = "In a job"
    BACK = "In a job, in a schedule, in an alert and in this help"


ACTS = (Scope.JOB_ACTS, Scope.QUEUE_ACTS, Scope.WORKER_ACTS, Scope.SCHEDULE_ACTS, Scope.ALERT_ACTS)
"""What changes something. The application binds these keys, and asks the view that is on top what is meant: a view says
what it has by naming these scopes among its own, or those of the widget with the focus, and by its `act`.
"""
