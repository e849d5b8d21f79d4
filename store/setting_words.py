"""What each setting means, in the words of docs/settings.md: its default, its meaning, and who reads it."""

from dataclasses import dataclass

ALL = "all"
WEB = "web"
WORKERS = "workers"
SCHEDULER = "scheduler"
SLACK = "slack"
COMMANDS = "commands"


@dataclass(frozen=True, slots=True)
class SettingWords:
    name: str
    #: In words, or as it would be written, between backticks.
    default: str
    #: Markdown for a cell of a table; links as from docs/.
    meaning: str
    #: The processes that do something with it. All of them check it when they begin.
    readers: tuple[str, ...] = (ALL,)


def _says(name: str, default: str, meaning: str, *readers: str) -> SettingWords:
    return SettingWords(name, default, meaning, readers or (ALL,))


GROUPS: dict[str, tuple[SettingWords, ...]] = {
    "Where things are": (
        _says("ERRAND_INSTANCE", "`instance`", "the folder of everything that is not code; every command takes `--instance`, too"),
        _says("DATABASE_URL", "a file in the instance", "people, jobs, results, entries: `postgresql://errand:secret@db/errand`"),
        _says("DATA_DATABASE_URL", "the schema `errand_data` in the first, or a file", "another database for the objects jobs work on, with a role of its own ([running.md](running.md))"),
        _says("REDIS_URL", "an embedded Redis", "`redis://redis:6379/0`, `rediss://` for TLS; `noeviction`, please: it must not forget"),
        _says("ERRAND_FILES_URL", "the first database", "where uploads and created files live: `s3://bucket/folder`, `file:///srv/errand/files`"),
        _says("ERRAND_DATA_FILES", "`data-files` in the instance", "the folder of [data files](data-files.md)"),
    ),
    "Keys": (
        _says("SECRET_KEY", "made once, in the instance", "signs what browsers keep; the same for every process, at least 16 characters"),
        _says("WORKER_KEY", "`worker_key` in the instance", "what opens sensitive inputs ([running.md](running.md))", WORKERS),
    ),
    "Logs": (
        _says("ERRAND_LOG", "lines to read", "`json`: one JSON object a line ([operations.md](operations.md#logs-as-json))", WEB, WORKERS, SCHEDULER),
    ),
    "Jobs and plugins": (
        _says("JOBS_ROOT", "`jobs/local`", "folders of job files, separated like `PATH`", WEB, WORKERS, COMMANDS),
        _says("ERRAND_JOBS_FROM", "`folders`", "`database`: runs use the job files of the last refresh ([running.md](running.md#workers-on-many-machines))", WORKERS),
        _says("ERRAND_PLUGINS", "none", "module names of plugin packages, separated by commas; those that are installed need no mention ([plugins.md](plugins.md))"),
        _says("ERRAND_JOBSCHLEUDER", "none", "the `jobschleuder.yaml` of plugins, where the jobs folders have none ([jobschleuder.md](jobschleuder.md))", WORKERS, COMMANDS),
        _says("ERRAND_GIT_ALLOW", "none", "what git repositories may be besides https and ssh, separated by commas: `http`, `file`, `local` ([sources.md](sources.md))", WEB, WORKERS),
        _says("ERRAND_DEBUG", "`0`", "`1` for those who write jobs: forms offer to profile a run, and everybody may have it", WEB, WORKERS),
    ),
    "The web server": (
        _says("ERRAND_HTTPS", "nobody said", "`1` behind TLS (cookies become Secure), `0` if plain HTTP is really meant", WEB),
        _says("ERRAND_PROXIES", "`0`", "how many proxies stand before the web server: so many entries of `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are believed, and those before them are not. Without it all who come through a proxy share one address, and so one limit for wrong passwords", WEB),
        _says("ERRAND_HOSTS", "every name", "by which names the portal may be asked for, separated by commas; any other gets 400, but `localhost` and `127.0.0.1`, by which health checks ask", WEB),
        _says("ERRAND_URL", "none", "the portal's address, such as `https://errand.example.com`, for the links in messages; with an `ERRAND_TOKEN` beside it, commands work on that portal ([cli.md](cli.md#here-or-at-a-portal-elsewhere))"),
        _says("ERRAND_TOKEN", "none", "a token of yours, for commands that work on the portal at `ERRAND_URL`", COMMANDS),
        _says("ERRAND_API_RATE", "`30000`", "how many requests of the APIs a person may make in a minute, by all tokens together; 0: any number", WEB),
        _says("ERRAND_RATES", "`submit=6000 search=300 download=600 webhook=3000`", "how often in a minute one person may ask for runs, search, and download, by page and API together, and how often programs may call one webhook from one address; 0: any number. Who does more gets 429 with `Retry-After`", WEB),
        _says("ERRAND_QUEUE_DEPTH", "`50000`", "how many runs may wait for workers before people and webhooks are told to try again later (429); 0: any number. What schedules, chains, hooks and runs ask for is taken all the same", WEB),
        _says("ERRAND_KEPT_FILES", "`20000`", "how many files one person's runs may keep that were sent with them; 0: any number", WEB),
        _says("ERRAND_KEPT_MB", "`20480`", "how many megabytes they may have together; 0: any number", WEB),
        _says("ERRAND_SCHEDULES", "`6000`", "how many schedules one person may have; 0: any number", WEB),
        _says("ERRAND_METRICS_TOKEN", "none", "who sends it may read `/metrics` ([operations.md](operations.md)); at least 16 characters", WEB),
        _says("ERRAND_IMAGE_HOSTS", "none", "hosts whose images reports may show, separated by commas ([reports.md](reports.md))", WEB),
        _says("ERRAND_TIME_ZONE", "the browser's own, else UTC", "the time zone of new schedules, such as `Europe/Berlin`", WEB, SCHEDULER),
    ),
    "Limits and secrets of runs": (
        _says("ERRAND_UPLOAD_MB", "`100`", "how large the files of a run may be that come over the web, together, and each file on the command line; a proxy in front has a limit of its own", WEB, COMMANDS),
        _says("ERRAND_CREATED_FILE_MB", "`10`", "the largest file that a run may make", WORKERS),
        _says("ERRAND_DATA_FILE_MB", "`10`", "how large a data file may be", WEB, WORKERS),
        _says("ERRAND_KEEP_DAYS", "`0`: for good", "how many days results are kept ([operations.md](operations.md#how-long-results-are-kept))", SCHEDULER, COMMANDS),
        _says("ERRAND_KEEP_FAILED_DAYS", "as the others", "how many days results are kept that failed or errored", SCHEDULER, COMMANDS),
        _says("ERRAND_SEALED_DAYS", "`30`", "how many days sensitive inputs are kept, sealed, so that a run can be repeated; 0 wipes them when the run ends"),
        _says("ERRAND_REDACTION", "the default rules", "a file of rules that take credentials out of what runs say ([running.md](running.md#what-is-not-stored-of-what-runs-say))", WORKERS),
        _says("ERRAND_SECRETS", "none", "files (a value a line) or folders (a value a file), separated like `PATH`: no run may tell these values", WORKERS),
        _says("ERRAND_PASS_TO_JOBS", "none", "secrets of Slack and GitHub that commands find in their environment, too, separated by commas ([bennettbot.md](bennettbot.md#the-environment))", WORKERS),
    ),
    "Single sign-on": (
        _says("ERRAND_OIDC_ISSUER", "none", "the provider, as it writes itself ([people.md](people.md#single-sign-on)); needs the two that follow", WEB),
        _says("ERRAND_OIDC_CLIENT_ID", "none", "what the provider knows Errand by", WEB),
        _says("ERRAND_OIDC_CLIENT_SECRET", "none", "the secret beside it", WEB),
        _says("ERRAND_OIDC_NAME", "`single sign-on`", "what stands on the button", WEB),
        _says("ERRAND_OIDC_SCOPES", "`openid profile email`", "what the provider is asked for; `openid` must be among it", WEB),
        _says("ERRAND_OIDC_USERNAME", "`preferred_username`", "the claim that has the user name", WEB),
        _says("ERRAND_OIDC_GROUPS", "`groups`", "the claim that has the groups", WEB),
        _says("ERRAND_OIDC_GROUP_MAP", "the same names", "`their-group=Our group`, separated by commas", WEB),
        _says("ERRAND_OIDC_ADMINS", "the provider has no say", "groups of theirs whose members are superusers here, separated by commas", WEB),
        _says("ERRAND_OIDC_CREATE", "`1`", "`0`: people whom nobody knows here get no account", WEB),
        _says("ERRAND_OIDC_AUTH_TIME", "`0`", "`1`: who shows once more who they are is believed only where the provider says when it asked", WEB),
        _says("ERRAND_PASSWORDS", "`1`", "`0`: people come by single sign-on, and nobody by password", WEB),
    ),
    "Messages": (
        _says("ERRAND_SMTP_URL", "no mail", "the mail server, `smtp://user:password@mail.example.com:587?starttls=1` ([notifications.md](notifications.md))", SCHEDULER, WORKERS),
        _says("ERRAND_MAIL_FROM", "none", "whom mail comes from; needed with `ERRAND_SMTP_URL`", SCHEDULER, WORKERS),
        _says("ERRAND_WEBHOOK_HOSTS", "none", "hosts and networks that webhooks may go to although they are not on the open internet", WEB, SCHEDULER, WORKERS),
        _says("ERRAND_SLACK_TOKEN", "`SLACK_BOT_TOKEN`", "of a bot, to write to channels of Slack by their names", SCHEDULER, WORKERS),
    ),
    "Commands in Slack": (
        _says("SLACK_BOT_TOKEN", "no bot", "`xoxb-…`: reads who people are, and answers them ([slack.md](slack.md#setting-it-up))", WEB, WORKERS, SCHEDULER, SLACK),
        _says("SLACK_APP_TOKEN", "none", "`xapp-…`: listens by socket mode", SLACK),
        _says("SLACK_SIGNING_SECRET", "none", "what Slack signs the events with that it sends over HTTP", WEB),
        _says("SLACK_LOGS_CHANNEL", "none", "the channel that is told when a command begins and cannot be answered", WORKERS, SLACK),
        _says("SLACK_TECH_SUPPORT_CHANNEL", "none", "the channel that is called when a command fails", WORKERS, SLACK),
        _says("SLACK_APP_USERNAME", "as Slack calls it", "what people call the bot", WEB, SLACK),
        _says("MAX_SLACK_NOTIFY_RETRIES", "`2`", "how often a reply that fails is tried again, at most 20", WORKERS, SCHEDULER),
        _says("ERRAND_SLACK_API", "`https://slack.com/api/`", "where the Web API of Slack is", WEB, WORKERS, SCHEDULER, SLACK),
        _says("ERRAND_SLACK_STRANGERS", "`account`", "`refuse`: people of Slack who have not connected an account get none", WEB, SLACK),
        _says("ERRAND_SLACK_SUPPORT_KEYWORD", "none", "a regular expression: messages that have it are for people who help, and no commands", WEB, SLACK),
        _says("GITHUB_WEBHOOK_SECRET", "no webhook is taken", "of the webhooks of GitHub to [bennettbot's address](webhooks.md#as-bennettbot-has-them)", WEB),
    ),
    "Schedules that come by the API of ndscheduler": (
        _says("ERRAND_NDSCHEDULER_COALESCE", "`1`", "whether one run stands for all that were missed ([ndscheduler-api.md](ndscheduler-api.md))", WEB),
        _says("ERRAND_NDSCHEDULER_MISFIRE", "`3600`", "seconds after which a missed run is dropped; only 0 is kept to: none is made up for", WEB),
        _says("ERRAND_NDSCHEDULER_MAX_INSTANCES", "`3`", "how many runs of a schedule may go on at once; only 1 is kept to", WEB),
        _says("ERRAND_NDSCHEDULER_TIMEZONE", "`ERRAND_TIME_ZONE`", "the time zone of schedules that name none", WEB),
    ),
}  # fmt: skip


def all_words() -> list[SettingWords]:
    return [words for group in GROUPS.values() for words in group]
