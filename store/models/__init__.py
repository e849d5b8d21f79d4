"""The tables of the PLATFORM database, one file a noun."""

from store.columns import now
from store.models.approval import Approval
from store.models.audit import AuditRecord
from store.models.base import Base
from store.models.button import Button
from store.models.chain import Chain, ChainLink
from store.models.data_file import DataFile
from store.models.entry import EntryGroup, LogEntry
from store.models.fan_out import FanOut, FanOutPart, Gathering
from store.models.favourite import DefaultFilter, Favourite, SavedFilter
from store.models.file import FileChunk, RunFile
from store.models.git_source import GIT, GitSource, SourceDelivery, SourceSync
from store.models.hook import Hook
from store.models.identity import Identity
from store.models.job import SINGLETON, JobRecord, JobSource, LoadError, SourceSnapshot, class_path_of
from store.models.joined_request import JoinedRequest
from store.models.notice import Channel, Delivery, NoticeRule
from store.models.permission import Group, Permission, group_members, permission_groups, permission_users
from store.models.report import RunReport
from store.models.result import READY, WAITING, JobResult, JobStart
from store.models.retention import Retention
from store.models.sample import QueueSample, minute_of, moment_of
from store.models.schedule import MissedSlots, Schedule
from store.models.schleuder import RegistryEntry, RegistryJob
from store.models.search import EntryWords, SearchPlace, SearchRemoval
from store.models.slack import Namespace, SlackCode, SlackRequest
from store.models.states import FAMILIES, FAMILY_OF, FINAL, LEVELS, Status
from store.models.suppression import Suppression
from store.models.tally import RunTally, TallyPlace
from store.models.user import ApiToken, SignInFailure, SignInLink, User, UserSession
from store.models.value import JobValue
from store.models.webhook import Webhook, WebhookDelivery
from store.models.worker import Queue, WorkerKey, WorkerProcess

__all__ = [
    "FAMILIES",
    "FAMILY_OF",
    "FINAL",
    "GIT",
    "LEVELS",
    "READY",
    "SINGLETON",
    "WAITING",
    "ApiToken",
    "Approval",
    "AuditRecord",
    "Base",
    "Button",
    "Chain",
    "ChainLink",
    "Channel",
    "DataFile",
    "DefaultFilter",
    "Delivery",
    "EntryGroup",
    "EntryWords",
    "FanOut",
    "FanOutPart",
    "Favourite",
    "FileChunk",
    "Gathering",
    "GitSource",
    "Group",
    "Hook",
    "Identity",
    "JobRecord",
    "JobResult",
    "JobSource",
    "JobStart",
    "JobValue",
    "JoinedRequest",
    "LoadError",
    "LogEntry",
    "MissedSlots",
    "Namespace",
    "NoticeRule",
    "Permission",
    "Queue",
    "QueueSample",
    "RegistryEntry",
    "RegistryJob",
    "Retention",
    "RunFile",
    "RunReport",
    "RunTally",
    "SavedFilter",
    "Schedule",
    "SearchPlace",
    "SearchRemoval",
    "SignInFailure",
    "SignInLink",
    "SlackCode",
    "SlackRequest",
    "SourceDelivery",
    "SourceSnapshot",
    "SourceSync",
    "Status",
    "Suppression",
    "TallyPlace",
    "User",
    "UserSession",
    "Webhook",
    "WebhookDelivery",
    "WorkerKey",
    "WorkerProcess",
    "class_path_of",
    "group_members",
    "minute_of",
    "moment_of",
    "now",
    "permission_groups",
    "permission_users",
]
