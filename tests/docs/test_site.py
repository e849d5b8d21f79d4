"""The documentation as a site, and what of it is written from the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

from jobs.job import BaseJob
from store.setting_words import all_words
from store.settings import PROJECT_ROOT, VARIABLES, SettingsError, load_settings
from webapp.cli.reference import DOCS, PAGES, written

LOADED_FROM_ELSEWHERE = re.compile(
    r"<(?:script|img|iframe|source)[^>]+src=.?(?:https?:)?//|<link[^>]+stylesheet[^>]+//"
)

#: One that cannot work for each setting that is looked at when a process begins.
WRONG = {
    "DATABASE_URL": "nonsense",
    "DATA_DATABASE_URL": "mysql://h/d",
    "REDIS_URL": "http://h",
    "SECRET_KEY": "short",
    "ERRAND_HTTPS": "maybe",
    "ERRAND_JOBS_FROM": "elsewhere",
    "ERRAND_FILES_URL": "folder",
    "ERRAND_UPLOAD_MB": "0",
    "ERRAND_CREATED_FILE_MB": "x",
    "ERRAND_DATA_FILE_MB": "-1",
    "ERRAND_SEALED_DAYS": "x",
    "ERRAND_API_RATE": "x",
    "ERRAND_DEBUG": "maybe",
    "ERRAND_TIME_ZONE": "Nowhere/Here",
    "ERRAND_PASSWORDS": "0",
    "ERRAND_GIT_ALLOW": "ftp",
    "ERRAND_IMAGE_HOSTS": "https://h/",
    "ERRAND_HOSTS": "a b/c",
    "ERRAND_PROXIES": "many",
    "ERRAND_OIDC_ISSUER": "https://id.example.com",
    "ERRAND_URL": "errand",
    "ERRAND_SMTP_URL": "mail.example.com",
    "ERRAND_WEBHOOK_HOSTS": "10.0.0.0/99",
    "ERRAND_NDSCHEDULER_COALESCE": "maybe",
    "ERRAND_NDSCHEDULER_MISFIRE": "-1",
    "ERRAND_NDSCHEDULER_MAX_INSTANCES": "0",
    "ERRAND_NDSCHEDULER_TIMEZONE": "Nowhere/Here",
    "SLACK_BOT_TOKEN": "no",
    "SLACK_APP_TOKEN": "no",
    "MAX_SLACK_NOTIFY_RETRIES": "99",
    "ERRAND_SLACK_API": "slack",
    "ERRAND_SLACK_STRANGERS": "maybe",
    "ERRAND_SLACK_SUPPORT_KEYWORD": "(",
    "ERRAND_PASS_TO_JOBS": "HOME",
}


def test_the_reference_says_what_the_code_says():
    for name in PAGES:
        text = (DOCS / name).read_text("utf-8")
        assert written(name, text) == text, f"{name}: call ./errand help-docs"


def test_each_setting_has_its_words():
    names = [words.name for words in all_words()]
    assert len(names) == len(set(names))
    assert set(names) == {*VARIABLES, "ERRAND_INSTANCE", "ERRAND_TOKEN"}


def test_a_setting_that_cannot_work_is_named(tmp_path):
    silent = []
    for name, value in WRONG.items():
        try:
            load_settings(tmp_path, {name: value})
            silent.append(name)
        except SettingsError as error:
            if name not in str(error):
                silent.append(f"{name}: {error}")
    assert silent == []


def test_each_fact_of_meta_is_explained():
    facts = {name for name, fact in vars(BaseJob).items() if type(fact).__name__ == "_FromMeta"}
    explained = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "jobs.md").read_text(), re.M))
    # This one is of Nautobot alone (docs/nautobot.md).
    assert facts - explained == {"console_log_default"}


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=PROJECT_ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 35
    elsewhere = [page.name for page in pages if LOADED_FROM_ELSEWHERE.search(page.read_text())]
    assert elsewhere == []


def test_links_of_the_readme_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)", (PROJECT_ROOT / page).read_text())
        assert [link for link in links if not Path(PROJECT_ROOT, link).exists()] == []


def test_pictures_are_small():
    pictures = list((DOCS / "images").glob("*.png"))
    assert len(pictures) >= 4
    assert [picture.name for picture in pictures if picture.stat().st_size > 200_000] == []
