"""The pages on which an admin says what runs after what."""

from datetime import timedelta

from sqlalchemy import select, update

from store.models import AuditRecord, Chain, ChainLink, Hook, Permission, now
from webapp.origins import MOST_SHOWN

from .conftest import NOON, described, text
from .test_weight import MOST_BYTES, count


def test_a_chain_is_made_changed_and_deleted(root, db, make_job, make_result):
    first = make_job("First")
    following = make_job(
        "Next",
        variables=[described("StringVar", "site"), described("IntegerVar", "count", type="IntegerVar")],
    )
    given = {
        "name": "Then",
        "job": str(first.id),
        "next_job": str(following.id),
        "on": "ended",
        "data": "site = {{ result.data.site }}\n\ncount = 3\n",
        "enabled": "true",
    }
    for wrong, sentence in (
        ({"name": ""}, "This field is required."),
        ({"job": "x"}, "Choose one of these jobs."),
        ({"on": "never"}, "Choose one of these."),
        ({"next_job": str(first.id)}, "That leads back to the first job, so it would never end."),
        ({"data": "site"}, "Line 1: write variable = value."),
        ({"data": "\nplace = x"}, "Line 2: Next has no variable place; it has: count, site."),
        ({"data": "site = {{ result.secret }}"}, "There is no result.secret: after result. comes one of"),
        ({"data": "site = {{ 1 + 1 }}"}, "Write references as {{ result.return_value.name }}."),
    ):
        refused = root.post("/admin/chains/new", {**given, **wrong})
        assert (refused.status_code, sentence in text(refused)) == (422, True), sentence
        assert ('value="Then"' in text(refused)) == ("name" not in wrong)
    assert root.post("/admin/chains/new", given).status_code == 303
    chain = db.scalars(select(Chain)).one()
    assert chain.data == {"site": "{{ result.data.site }}", "count": 3}
    db.commit()
    back = root.post(
        "/admin/chains/new", {**given, "name": "Back", "job": given["next_job"], "next_job": given["job"]}
    )
    assert "That leads back to the first job" in text(back)
    chain.last_error, chain.last_error_at = "<b>No</b>.", now()
    result = make_result(following, origin="chain", origin_id=chain.id, origin_name="Then")
    page = text(root.get(f"/admin/chains/{chain.id}"))
    assert ("&lt;b&gt;No&lt;/b&gt;." in page, "site = {{ result.data.site }}" in page) == (True, True)
    assert f'href="/admin/chains/{chain.id}">Then</a>' in text(root.get(f"/results/{result.id}"))
    db.commit()
    # Turned round it does not lead back to itself.
    turned = {**given, "job": given["next_job"], "next_job": given["job"], "data": ""}
    assert root.post(f"/admin/chains/{chain.id}", turned).status_code == 303
    ended = make_result(first)
    db.commit()
    del given["enabled"]
    assert root.post(f"/admin/chains/{chain.id}", given).status_code == 303
    db.expire_all()
    linked = db.scalars(select(ChainLink.result_id).where(ChainLink.chain_id == chain.id)).all()
    assert (chain.enabled, ended.id in linked) == (False, True), "what had ended before runs nothing"
    db.commit()
    assert "Off" in text(root.get("/admin/chains/"))
    assert root.post(f"/admin/chains/{chain.id}/delete").status_code == 303
    db.expire_all()
    assert db.scalars(select(Chain)).all() == []
    acts = db.scalars(
        select(AuditRecord.action).where(AuditRecord.action.like("chain.%")).order_by(AuditRecord.id)
    ).all()
    assert acts == ["chain.create", "chain.change", "chain.change", "chain.delete"]


def test_no_secret_is_kept_in_a_chain(root, db, make_job):
    first = make_job("First")
    hides = make_job("Hides", variables=[described("SecretVar", "token", type="SecretVar")])
    discreet = make_job("Discreet", variables=[described("StringVar", "site")], has_sensitive_variables=True)
    given = {"name": "Then", "job": str(first.id), "on": "ended", "enabled": "true"}
    for job, name in ((hides, "token"), (discreet, "site")):
        sent = {**given, "next_job": str(job.id), "data": f"{name} = s3cr3t-word"}
        refused = root.post("/admin/chains/new", sent)
        sentence = f"Line 1: {name} may be sensitive, so a chain keeps no value for it, only a reference."
        assert (refused.status_code, sentence in text(refused)) == (422, True)
        taken = {**sent, "name": job.name, "data": f"{name} = {{{{ result.return_value }}}}"}
        assert root.post("/admin/chains/new", taken).status_code == 303
    with db.begin():
        assert "s3cr3t-word" not in str(db.scalars(select(AuditRecord.after)).all())


def test_chains_are_for_those_who_may(alice, db, make_job):
    job = make_job("First")
    with db.begin_nested() if db.in_transaction() else db.begin():
        db.add(Chain(name="Then", job_id=job.id, next_job_id=job.id, data={}, last_error=""))
    db.commit()
    chain = db.scalars(select(Chain)).one()
    db.commit()
    assert alice.get(f"/admin/chains/{chain.id}").status_code == 404
    assert alice.post(f"/admin/chains/{chain.id}/delete").status_code == 404


def test_the_page_of_a_run_lists_what_it_led_to(app, root, alice, db, make_job, make_result):
    job, following, hidden = make_job("First"), make_job("Next"), make_job("Hidden")
    first = make_result(job)
    address = f"/results/{first.id}"
    assert "Led to" not in text(alice.get(address))
    by_chain = {"origin": "chain", "origin_name": "<i>Then</i>", "parent_id": first.id}
    made = [make_result(following, "failed", **by_chain, created_at=NOON + timedelta(minutes=1))]
    make_result(hidden, username="root", **by_chain, created_at=NOON)
    own = {"owner": "me"}
    db.execute(update(Permission).where(Permission.kind == "result").values(constraints=[own]))
    db.commit()
    page = text(alice.get(address))
    assert f'<a href="/results/{made[0].id}">Next #{made[0].short_id}</a>' in page
    assert "by chain &lt;i&gt;Then&lt;/i&gt;, alice" in page
    assert 'Led to <span class="n">1</span>' in page
    assert ("Hidden #" in page, "Hidden #" in text(root.get(address))) == (False, True)
    chain = Chain(name="Refuses", job_id=job.id, next_job_id=hidden.id, data={}, last_error="")
    db.add(chain)
    db.flush()
    db.add(ChainLink(chain_id=chain.id, result_id=first.id, refused="<b>Hidden</b> is disabled."))
    db.commit()
    told = f'<a href="/admin/chains/{chain.id}">Refuses</a> ran nothing after it. &lt;b&gt;Hidden&lt;/b&gt; is disabled.'
    assert told in text(root.get(address))
    page = text(alice.get(address))
    assert ("Refuses ran nothing after it." in page, "is disabled" in page) == (True, False)
    page = text(root.get(f"/admin/chains/{chain.id}"))
    assert f"First #{first.short_id}</a><span>&lt;b&gt;Hidden&lt;/b&gt; is disabled." in page
    few = count(app, alice, address)
    made += [
        make_result(following, **by_chain, created_at=NOON + timedelta(hours=hour))
        for hour in range(1, MOST_SHOWN + 1)
    ]
    page = text(alice.get(address))
    assert f'href="/results/?parent={first.id}">All that it led to' in page
    assert page.count(">Next #") == MOST_SHOWN, "the first ones"
    assert f"#{made[-1].short_id}" not in page
    assert (count(app, alice, address), len(page) < MOST_BYTES) == (few, True)
    listed = text(alice.get(f"/results/?parent={first.id}"))
    assert listed.count('class="name" href="/results/') == len(made)
    assert f"After First #{first.short_id}" in listed


def test_a_chain_or_hook_that_is_nobodys_says_so_until_somebody_saves_it(root, cast, db, make_job):
    job, following = make_job("First"), make_job("Next", description="It hears")
    receiver = make_job("Hears", receives="hook")
    chain = Chain(name="Then", job_id=job.id, next_job_id=following.id, data={}, last_error="")
    hook = Hook(name="On", job_id=receiver.id, object_types=["inventory.site"], on_create=True)
    db.add_all([chain, hook])
    db.commit()
    about = {"enabled": "1"}
    forms = {
        f"/admin/chains/{chain.id}": {
            "name": "Then",
            "job": str(job.id),
            "next_job": str(following.id),
            "on": "completed",
        },
        f"/admin/hooks/{hook.id}": {
            "name": "On",
            "job": str(receiver.id),
            "object_types": "inventory.site",
            "actions": "create",
        },
    }
    db.rollback()
    for address, form in forms.items():
        listed = address.rpartition("/")[0] + "/"
        assert (
            "Nobody knows who set it up" in text(root.get(address)),
            "Problem" in text(root.get(listed)),
        ) == (True, True)
        assert root.post(address, {**form, **about}).status_code == 303
        assert ("Nobody knows" in text(root.get(address)), "Problem" in text(root.get(listed))) == (
            False,
            False,
        )
