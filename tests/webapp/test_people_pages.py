"""People, groups and permissions: who sees these pages, what they change, and what they explain."""

import json
import re

import pytest
from sqlalchemy import delete, select

from store.models import Group, JobRecord, JobSource, LoadError, Permission, User, UserSession, now

from .conftest import running, signed_in, text

PERMISSION = {
    "name": "Network",
    "kind": "job",
    "actions": ["view", "run"],
    "enabled": "true",
    "constraints": "",
}


@pytest.fixture
def network(make_job):
    return make_job("Ping", class_path="local/network/Ping", grouping="Network", variables=[])


def only(db, *permissions: Permission) -> None:
    """Let these be all the permissions there are."""
    with db.begin():
        for old in db.scalars(select(Permission)):
            db.delete(old)
        db.add_all(permissions)


def rows(db, query):
    with db.begin():
        return list(db.scalars(query))


@pytest.mark.parametrize(
    "path",
    [
        "users/",
        "users/new",
        "users/1",
        "groups/",
        "groups/new",
        "groups/1",
        "permissions/",
        "permissions/new",
        "permissions/1",
    ],
)
def test_the_pages_are_for_those_who_look_after_people(alice, root, stranger, path):
    assert root.get(f"/admin/{path}").status_code == 200
    assert alice.get(f"/admin/{path}").status_code == 404
    assert stranger.get(f"/admin/{path}").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "users/new",
        "users/1",
        "users/1/link",
        "groups/new",
        "groups/1",
        "groups/1/delete",
        "permissions/new",
        "permissions/1",
        "permissions/1/delete",
    ],
)
def test_nobody_else_changes_anything(alice, db, path):
    before = [
        rows(db, select(each.name if each is not User else User.username))
        for each in (User, Group, Permission)
    ]
    assert alice.post(f"/admin/{path}", {"name": "x", "username": "x"}).status_code == 404
    assert before == [
        rows(db, select(each.name if each is not User else User.username))
        for each in (User, Group, Permission)
    ]


def test_who_may_only_look_changes_nothing(alice, db, cast):
    only(db, Permission(name="Looks", kind="user", actions=["view"], users=[cast["alice"]]))
    page = text(alice.get("/admin/users/1"))
    assert "Save" not in page
    refused = alice.post("/admin/users/1", {"display_name": "x"})
    assert refused.status_code == 403
    assert "/admin/permissions/explain?action=change&amp;kind=user" in text(refused)


def test_an_account_is_made_with_groups_and_a_link_to_sign_in(root, app, db):
    root.post("/admin/groups/new", {"name": "Operators", "members": ""})
    [group] = rows(db, select(Group).where(Group.name == "Operators"))
    made = root.post(
        "/admin/users/new",
        {"username": "dora", "display_name": "Dora D", "active": "true", "groups": [str(group.id)]},
    )
    assert made.status_code == 303
    page = text(root.get(made.location))
    assert "Dora D" in page
    assert "see and run jobs where enabled is true" in page
    link = root.post(f"{made.location}/link")
    address = re.search(r"http://localhost(/login/[\w-]+)", text(link))[1]
    assert app.test_client().get(address).status_code == 303
    assert "Operators" in text(root.get("/admin/users/?q=dor"))


@pytest.mark.parametrize(
    ("username", "sentence"),
    [
        ("", "1 to 150 letters"),
        ("a b", "1 to 150 letters"),
        ("me", "Nobody can be called me"),
        ("ALICE", "There is a user &#39;alice&#39; already"),
    ],
)
def test_a_name_that_nobody_can_have_is_refused_where_it_stands(root, username, sentence):
    refused = root.post("/admin/users/new", {"username": username, "display_name": "kept"})
    assert refused.status_code == 422
    assert sentence in text(refused)
    assert 'value="kept"' in text(refused)


def test_who_is_disabled_is_signed_out_at_once(root, alice, db, cast):
    assert alice.get("/jobs/").status_code == 200
    assert root.post(f"/admin/users/{cast['alice'].id}", {"display_name": ""}).status_code == 303
    assert alice.get("/jobs/").status_code == 303
    assert rows(db, select(UserSession).where(UserSession.user_id == cast["alice"].id)) == []


def test_nobody_locks_themselves_out_or_makes_themselves_a_superuser(root, alice, db, cast):
    assert "You cannot take rights from your own account" in text(
        root.post(f"/admin/users/{cast['root'].id}", {})
    )
    only(db, Permission(name="People", kind="user", actions=["view", "change"], users=[cast["alice"]]))
    refused = alice.post(f"/admin/users/{cast['bob'].id}", {"active": "true", "superuser": "true"})
    assert refused.status_code == 422
    assert "Only a superuser may say who is one" in text(refused)
    for path in ("", "/link"):
        assert alice.post(f"/admin/users/{cast['root'].id}{path}", {"active": "true"}).status_code == 403


def test_a_group_has_members_by_name(root, db, cast):
    refused = root.post("/admin/groups/new", {"name": "Net", "members": "alice\nnobody, neither"})
    assert refused.status_code == 422
    assert "There is nobody called nobody, neither." in text(refused)
    assert "alice\nnobody, neither" in text(refused)
    assert root.post("/admin/groups/new", {"name": "Net", "members": "alice, bob"}).status_code == 303
    assert "There is a group of this name already" in text(root.post("/admin/groups/new", {"name": "Net"}))
    [group] = rows(db, select(Group).where(Group.name == "Net"))
    assert "alice\nbob" in text(root.get(f"/admin/groups/{group.id}"))
    assert root.post(f"/admin/groups/{group.id}/delete").status_code == 303
    assert rows(db, select(Group).where(Group.name == "Net")) == []


def test_a_group_is_not_renamed_to_another_one(root, db):
    root.post("/admin/groups/new", {"name": "Net", "members": "alice"})
    root.post("/admin/groups/new", {"name": "Dev"})
    [group] = rows(db, select(Group).where(Group.name == "Dev"))
    refused = root.post(f"/admin/groups/{group.id}", {"name": "Net", "members": "bob"})
    assert refused.status_code == 422
    assert "There is a group of this name already" in text(refused)


def test_the_group_of_everyone_stays(root, db):
    root.post("/admin/groups/1/delete")
    assert len(rows(db, select(Group).where(Group.everyone))) == 1


def test_a_permission_counts_at_once(root, alice, db, cast, network):
    only(db)
    assert "Ping" not in text(alice.get("/jobs/"))
    assert alice.get("/jobs/local/network/Ping/").status_code == 404
    saved = root.post(
        "/admin/permissions/new", {**PERMISSION, "users": "alice", "constraints": '[{"grouping": "Network"}]'}
    )
    assert saved.status_code == 303
    assert "see and run jobs where grouping is Network" in text(root.get("/admin/permissions/"))
    assert "Ping" in text(alice.get("/jobs/"))
    assert alice.post("/jobs/local/network/Ping/").status_code == 303
    [made] = rows(db, select(Permission))
    root.post(f"/admin/permissions/{made.id}", {**PERMISSION, "users": "alice", "actions": ["view"]})
    assert alice.get("/jobs/local/network/Ping/").status_code == 200
    refused = alice.post("/jobs/local/network/Ping/")
    assert refused.status_code == 403
    why = re.search(r'href="(/admin/permissions/explain[^"]+)">Why', text(refused))[1].replace("&amp;", "&")
    page = text(alice.get(why))
    assert "There is no permission by which alice may run jobs." in page
    assert "root" in page
    root.post(f"/admin/permissions/{made.id}/delete")
    assert alice.get("/jobs/local/network/Ping/").status_code == 404


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"name": ""}, "This field is required"),
        ({"actions": []}, "Choose from: view, run, approve, change, delete"),
        ({"kind": "worker", "actions": ["run"]}, "Choose from: view, change"),
        ({"constraints": "{"}, "This is no JSON (line 1, column 2)"),
        ({"constraints": "[" * 100_000}, "This is no JSON"),
        ({"constraints": '[{"owner": "me"}]'}, "There is no &#39;owner&#39; of jobs"),
        ({"users": "nobody"}, "There is nobody called nobody"),
        ({"kind": "<b>"}, "Choose from: job, result"),
    ],
)
def test_a_permission_that_means_nothing_is_refused_where_it_stands(root, db, sent, sentence):
    before = len(rows(db, select(Permission)))
    refused = root.post("/admin/permissions/new", {**PERMISSION, **sent})
    assert refused.status_code == 422
    assert sentence in text(refused)
    assert len(rows(db, select(Permission))) == before


def test_what_would_change_is_told_before_it_is_saved(root, db, cast, network, make_job):
    make_job("Save", class_path="local/backup/Save", grouping="Backup")
    only(
        db,
        Permission(
            name="Old",
            kind="job",
            actions=["view", "run"],
            constraints=[{"grouping": "Backup"}],
            users=[cast["alice"], cast["bob"]],
        ),
    )
    [old] = rows(db, select(Permission))
    sent = {**PERMISSION, "name": "Old", "actions": ["view"], "users": "alice", "_preview": "1"}
    page = text(root.post(f"/admin/permissions/{old.id}", sent))
    # Alice sees Ping now, and runs Save no more; Bob sees and runs Save no more.
    assert "See: 1 gained, 1 lost (+ alice: Ping; - bob: Save)" in page
    assert "Run: 0 gained, 2 lost (- alice: Save; - bob: Save)" in page
    assert rows(db, select(Permission.actions)) == [["view", "run"]]
    same = {
        **PERMISSION,
        "name": "Old",
        "constraints": json.dumps([{"grouping": "Backup"}]),
        "users": "alice\nbob",
        "_preview": "1",
    }
    assert "This would change nothing" in text(root.post(f"/admin/permissions/{old.id}", same))


def test_an_explanation_names_what_fits_and_who_may(root, alice, db, cast, network):
    only(
        db,
        Permission(
            name="Network",
            kind="job",
            actions=["view", "run"],
            constraints=[{"grouping": "Network"}],
            groups=[Group(name="Operators", members=[cast["bob"]])],
        ),
        Permission(
            name="Backups",
            kind="job",
            actions=["view", "run"],
            constraints=[{"grouping": "Backup"}],
            users=[cast["alice"]],
        ),
    )
    asked = "/admin/permissions/explain?action=run&kind=job&subject=local/network/Ping"
    page = text(root.get(f"{asked}&user=alice"))
    assert "No permission by which alice may run jobs fits this one." in page
    assert "grouping is Network, not Backup" in page
    assert "in the group Operators" in page
    assert re.search(r"Who may: 2</h2>.*bob.*root", page, re.DOTALL)
    yes = text(root.get(f"{asked}&user=bob"))
    assert "The permission Network of the group Operators allows it." in yes
    # She may ask about herself, but not about others; and not about what she may not see.
    assert "There is nothing called local/network/Ping" in text(alice.get(asked))
    assert alice.get(f"{asked}&user=bob").status_code == 404
    for query in ("action=fly&kind=job", "kind=x", "kind=result&subject=zzz", "subject=%00<script>"):
        assert root.get(f"/admin/permissions/explain?{query}").status_code == 200


def test_inputs_may_be_limited(root, alice, db, cast, make_job):
    variable = {
        "name": "environment",
        "type": "StringVar",
        "label": "Environment",
        "description": "",
        "required": True,
        "default": None,
    }
    make_job("Deploy", class_path="local/deploy/Deploy", variables=[variable], queues=["default", "fast"])
    only(
        db,
        Permission(
            name="Test only",
            kind="job",
            actions=["view", "run"],
            constraints=[{"data.environment": ["test", "stage"], "queue": "default"}],
            users=[cast["alice"]],
        ),
    )
    url = "/jobs/local/deploy/Deploy/"
    assert alice.post(url, {"v-environment": "test"}).status_code == 303
    refused = alice.post(url, {"v-environment": "prod"})
    assert refused.status_code == 422
    assert (
        "You may not run Deploy with this. You may run jobs where data.environment is test or stage and queue is default."
        in text(refused)
    )
    assert 'value="prod"' in text(refused)
    assert "You may not run Deploy on the queue fast." in text(
        alice.post(url, {"v-environment": "test", "_queue": "fast"})
    )


def test_a_link_made_before_somebody_got_other_rights_is_none_any_more(root, app, db, cast):
    page = text(root.post(f"/admin/users/{cast['bob'].id}/link"))
    address = re.search(r"http://localhost(/login/[\w-]+)", page)[1]
    root.post(f"/admin/users/{cast['bob'].id}", {"active": "true", "superuser": "true"})
    assert app.test_client().get(address).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "admin/users/{}",
        "admin/groups/{}",
        "admin/permissions/{}",
        "account/tokens/{}/end",
        "account/sessions/{}/end",
    ],
)
def test_numbers_that_no_database_takes_are_not_found(root, path):
    address = f"/{path.format(10**25)}"
    assert {root.get(address).status_code, root.post(address).status_code} <= {404, 405}


def test_objects_that_may_not_be_seen_are_not_counted(inventory_settings, db, cast):
    for app in running(inventory_settings):
        alice = signed_in(app, db, cast["alice"])
        only(
            db,
            Permission(
                name="Sites",
                kind="object",
                actions=["view"],
                constraints=[{"model": "inventory.site"}],
                users=[cast["alice"]],
            ),
        )
        page = text(alice.get("/objects/"))
        assert "inventory.site" in page
        assert "inventory.device" not in page


def test_who_may_refresh_one_source_does_not_refresh_all(alice, db, cast):
    with db.begin():
        for name in ("local", "plugins"):
            db.add(JobSource(name=name, kind="folder", location="/srv/jobs", refreshed_at=now()))
    only(
        db,
        Permission(
            name="Local",
            kind="source",
            actions=["view", "change"],
            constraints=[{"source": "local"}],
            users=[cast["alice"]],
        ),
    )
    assert alice.post("/jobs/refresh").status_code in (403, 404)
    assert rows(db, select(JobRecord)) == []
    with db.begin():
        db.execute(delete(JobSource).where(JobSource.name == "plugins"))
    assert alice.post("/jobs/refresh").status_code == 303
    assert rows(db, select(JobRecord)) != []


def test_load_errors_of_sources_that_may_not_be_seen_are_only_counted(alice, db, cast):
    with db.begin():
        db.add(LoadError(source="plugins", module="m", path="/p", message="SECRET", seen_at=now()))
    only(
        db,
        Permission(
            name="Local",
            kind="source",
            actions=["view"],
            constraints=[{"source": "local"}],
            users=[cast["alice"]],
        ),
    )
    page = text(alice.get("/jobs/"))
    assert "SECRET" not in page
    assert "1 job file could not be loaded" in page


def test_people_are_marked_at_the_side_on_each_page_of_their_tabs(root):
    page = text(root.get("/admin/users/"))
    tabs = re.findall(r'href="([^"]+)"', re.search(r'<nav class="tabs".*?</nav>', page, re.S)[0])
    assert len(tabs) > 10
    for tab in tabs:
        assert '<a href="/admin/users/" aria-current="page" data-go="p">' in text(root.get(tab)), tab


def test_who_has_asked_nothing_yet_is_told_what_can_be_asked(root):
    page = text(root.get("/admin/permissions/explain"))
    assert "Ask who may do what" in page
    assert 'class="note is-warn" role="alert"' not in page
    assert "Say which of the jobs is meant." in text(
        root.get("/admin/permissions/explain?action=run&kind=job&subject=")
    )
