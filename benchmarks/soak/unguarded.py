"""What there would be without each protection of docs/security.md: the code that is taken out, and the test that misses it.

Light: tests read it. `benchmarks.soak.guards` does it, in a copy.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Removal(NamedTuple):
    """One change that leaves a protection out."""

    file: str
    #: It stands there once.
    text: str
    instead: str


#: {(row of the table in docs/security.md, a test): what it fails without}
UNGUARDED: Mapping[tuple[int, str], Sequence[Removal]] = {
    (1, "tests/store/test_people.py::test_weak_passwords_are_refused"): (
        Removal("store/secrets.py", "if len(password) < SHORTEST_PASSWORD:", "if False:"),
    ),
    (1, "tests/store/test_people.py::test_a_guess_costs_64_megabytes_and_three_passes_over_them"): (
        Removal(
            "store/secrets.py",
            "    return PasswordHasher()\n",
            "    return PasswordHasher(time_cost=1, memory_cost=1024)\n",
        ),
    ),
    (1, "tests/store/test_people.py::test_passwords_that_others_think_of_first_are_refused"): (
        Removal(
            "store/secrets.py", "    if is_common(password):\n", "    if False and is_common(password):\n"
        ),
    ),
    (1, "tests/webapp/test_account.py::test_a_password_that_cannot_be_set_says_why_beside_it"): (
        Removal(
            "webapp/account.py",
            "        check_password_rules(new, user.username)\n",
            "        str(check_password_rules)\n",
        ),
    ),
    (2, "tests/webapp/test_ways_out.py::test_a_hash_is_computed_where_there_is_none"): (
        Removal(
            "store/secrets.py",
            "    if not _NOBODY:\n",
            "    if password_hash is None:\n        return False\n    if not _NOBODY:\n",
        ),
    ),
    (2, "tests/webapp/test_ways_out.py::test_sign_in_takes_alike_for_people_there_are_not"): (
        Removal(
            "webapp/login.py",
            "    may = verify_password(user.password_hash if user else None, password)\n",
            "    may = user is not None and verify_password(user.password_hash, password)\n",
        ),
    ),
    (2, "tests/webapp/test_account.py::test_who_guesses_waits_longer_and_longer_whoever_it_is"): (
        Removal(
            "webapp/login.py",
            "    if seconds := lock_out.seconds_to_wait(username, address):\n",
            "    if seconds := 0:\n",
        ),
    ),
    (3, "tests/webapp/test_doors.py::test_sign_out_ends_the_session_on_the_server"): (
        Removal(
            "webapp/sessions.py",
            "    def sign_out(self) -> None:\n        if self.row is not None:\n",
            "    def sign_out(self) -> None:\n        if False:\n",
        ),
    ),
    (3, "tests/webapp/test_doors.py::test_sign_in_ends_the_session_there_was"): (
        Removal(
            "webapp/sessions.py",
            "        with writing() as db:\n            if self.row is not None:\n",
            "        with writing() as db:\n            if False:\n",
        ),
    ),
    (3, "tests/webapp/test_doors.py::test_sessions_end"): (
        Removal("webapp/sessions.py", "IDLE = timedelta(hours=8)", "IDLE = timedelta(days=800)"),
        Removal(
            "webapp/sessions.py",
            'UserSession.expires_at > bindparam("moment"),',
            'UserSession.expires_at != bindparam("moment"),',
        ),
    ),
    (3, "tests/webapp/test_confirming.py::test_nothing_is_granted_or_shown_without_it"): (
        Removal(
            "webapp/confirming.py",
            "    if session.confirmed_at is not None and session.confirmed_at > now() - GOOD_FOR:\n",
            "    if session.confirmed_at is not None:\n",
        ),
    ),
    (3, "tests/webapp/test_confirming.py::test_the_provider_is_to_ask_anew_and_its_word_confirms"): (
        Removal("webapp/oidc_provider.py", '{"prompt": "login", "max_age": 0} if again else {}', "{}"),
    ),
    (3, "tests/webapp/test_confirming.py::test_a_provider_that_did_not_ask_anew_confirms_nobody"): (
        Removal(
            "webapp/single_sign_on.py",
            '    if asked_at < begun["at"] - CLOCKS_APART_SECONDS:\n',
            "    if False:\n",
        ),
    ),
    (3, "tests/webapp/test_confirming.py::test_somebody_else_at_the_provider_confirms_nobody"): (
        Removal("webapp/single_sign_on.py", "    if known.id != came.id:\n", "    if False:\n"),
    ),
    (4, "tests/webapp/test_doors.py::test_behind_tls_the_cookie_is_bound_to_the_host"): (
        Removal(
            "webapp/sessions.py",
            'self.cookie = "__Host-session" if https else "session"',
            'self.cookie = "session"',
        ),
    ),
    (4, "tests/webapp/test_doors.py::test_the_cookie_is_locked_down"): (
        Removal(
            "webapp/sessions.py",
            'self.cookie, value, max_age=max_age, path="/", secure=self.https, httponly=True, samesite="Lax"',
            'self.cookie, value, max_age=max_age, path="/", secure=self.https, samesite="Lax"',
        ),
    ),
    (5, "tests/webapp/test_doors.py::test_requests_from_other_sites_are_refused"): (
        Removal("webapp/auth.py", "    if not _comes_from_us():\n", "    if False:\n"),
    ),
    (5, "tests/webapp/test_doors.py::test_a_missing_csrf_token_is_refused"): (
        Removal("webapp/auth.py", "    csrf.protect()\n", "    str(csrf)\n"),
    ),
    (5, "tests/webapp/test_whole_map.py::test_what_needs_no_token_reads_no_cookie"): (
        Removal(
            "webapp/auth.py",
            '    if below_api() or marked("is_for_programs"):\n        return\n    if (user',
            "    if (user",
        ),
    ),
    (6, "tests/api/test_tokens.py::test_an_expired_token_opens_nothing"): (
        Removal(
            "webapp/api/tokens.py",
            "    if token.expires_at is not None and token.expires_at <= now():\n",
            "    if token.expires_at is not None and token.expires_at > now():\n",
        ),
    ),
    (6, "tests/api/test_tokens.py::test_a_token_dies_with_its_user"): (
        Removal("webapp/api/tokens.py", "    if not token.user.active:\n", "    if False:\n"),
    ),
    (6, "tests/store/test_people.py::test_tokens_are_random_and_only_their_hash_is_kept"): (
        Removal(
            "store/secrets.py",
            '    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()\n',
            "    return token[:64]\n",
        ),
    ),
    (7, "tests/webapp/test_attacks.py::test_no_id_of_others_does_anything_in_a_body_or_a_query"): (
        Removal(
            "store/permissions.py",
            "    return query.where(may_view(user, model, withdrawn=withdrawn))\n",
            "    return query\n",
        ),
    ),
    (7, "tests/webapp/test_attacks.py::test_nothing_of_others_is_seen_or_changed"): (
        Removal(
            "store/permissions.py",
            "    if decided.allowed:\n        return\n",
            "    if decided:\n        return\n",
        ),
    ),
    (8, "tests/webapp/test_attacks.py::test_ids_that_do_not_belong_together_are_nothing"): (
        Removal(
            "webapp/result_files.py",
            "    if row is None or row.result_id != result_id or row.variable is not None:\n",
            "    if row is None or row.variable is not None:\n",
        ),
        Removal(
            "webapp/result_files.py",
            "    if row is None or row.result_id != result_id or row.variable is not None:\n",
            "    if row is None or row.result_id != result_id:\n",
        ),
        Removal(
            "webapp/webhook_deliveries.py",
            "WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.id == number",
            "WebhookDelivery.id == number",
        ),
    ),
    (9, "tests/webapp/test_extra_fields.py::test_bodies_refuse_members_that_they_do_not_name"): (
        Removal(
            "webapp/api/calls.py",
            '    """What a JSON body may say."""\n\n    model_config = ConfigDict(extra="forbid")\n',
            '    """What a JSON body may say."""\n',
        ),
    ),
    (9, "tests/webapp/test_extra_fields.py::test_arguments_that_stand_twice_are_refused"): (
        Removal("jobs/json_text.py", "object_pairs_hook=_unique_names, ", ""),
    ),
    (10, "tests/webapp/test_ways_out.py::test_a_long_poll_ends_without_a_word_for_whom_it_is_closed"): (
        Removal(
            "webapp/api/waits.py",
            "    permissions.forget(user())\n    identify()\n",
            "    str((permissions, identify, user))\n",
        ),
    ),
    (10, "tests/webapp/test_ways_out.py::test_what_is_taken_away_is_gone_with_the_next_request"): (
        Removal(
            "store/permissions.py",
            "        .where(Permission.enabled, or_(Group.everyone, is_member))\n",
            "        .where(or_(Group.everyone, is_member))\n",
        ),
    ),
    (10, "tests/worker/test_rights.py::test_a_permission_taken_away_while_a_run_waits_counts"): (
        Removal(
            "worker/beginning.py",
            "    if run.username and not is_superuser and not may_still_run(platform, claimed.result_id):\n",
            "    if False:\n",
        ),
    ),
    (11, "tests/worker/test_approvals.py::test_nobody_approves_their_own_request_or_without_a_permission"): (
        Removal("worker/approvals.py", "    if has_asked(db, user.id, asked):\n", "    if False:\n"),
    ),
    (11, "tests/worker/test_approvals.py::test_who_has_it_asked_for_in_whatever_way_has_asked"): (
        Removal(
            "worker/approvals.py",
            "    return or_(as_them, set_up, in_slack, again)\n",
            "    return or_(as_them, in_slack, again)\n",
        ),
    ),
    (11, "tests/worker/test_approvals.py::test_another_request_is_not_what_was_approved"): (
        Removal(
            "worker/approvals.py",
            "    if problem := what_differs(approval.asked, result, job):\n",
            "    if problem := '':\n",
        ),
    ),
    (11, "tests/worker/test_firing.py::test_a_schedule_is_approved_once_for_all_its_runs"): (
        Removal(
            "worker/approvals.py",
            "        .where(Approval.id == approval.id, Approval.decision.is_(None), same_plan)\n",
            "        .where(Approval.id == approval.id, same_plan)\n",
        ),
    ),
    (12, "tests/webapp/test_hostile_pages.py::test_nothing_active_survives_what_is_rendered"): (
        Removal("store/html.py", "    return str(_cleaner().clean(html))\n", "    return html\n"),
        Removal(
            "store/html.py",
            '                if not _may_link_to(token["data"].get((None, "href"), "")):\n',
            "                if False:\n",
        ),
        Removal(
            "store/html.py",
            'ALLOWED_SCHEMES = frozenset({"http", "https", "mailto"})',
            'ALLOWED_SCHEMES = frozenset({"http", "https", "mailto", "javascript", "data", "vbscript"})',
        ),
    ),
    (13, "tests/webapp/test_ways_out.py::test_htmx_runs_no_code_and_asks_nobody_else"): (
        Removal("templates/document.html", '"allowEval":false', '"allowEval":true'),
        Removal("templates/document.html", '"selfRequestsOnly":true', '"selfRequestsOnly":false'),
    ),
    (14, "tests/test_house.py::test_nothing_is_marked_as_trusted_html_outside_one_module"): (
        Removal(
            "templates/account/confirm.html", "<div>{{ sentence }}</div>", "<div>{{ sentence|safe }}</div>"
        ),
    ),
    (14, "tests/webapp/test_hostile_pages.py::test_no_text_adds_an_element_to_a_page"): (
        Removal(
            "webapp/app.py",
            "    app.jinja_env.lstrip_blocks = True\n",
            "    app.jinja_env.lstrip_blocks = True\n    app.jinja_env.autoescape = False\n",
        ),
    ),
    (14, "tests/webapp/test_hostile_elsewhere.py::test_a_message_says_what_was_written_and_nothing_more"): (
        Removal(
            "worker/messages.py",
            '<h1 style="font-size:18px">{shown(delivery.title)}</h1>',
            '<h1 style="font-size:18px">{delivery.title}</h1>',
        ),
        Removal(
            "worker/messages.py",
            '    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")\n',
            "    return text\n",
        ),
    ),
    (15, "tests/webapp/test_doors.py::test_every_answer_is_guarded"): (
        Removal("webapp/headers.py", '        headers["X-Content-Type-Options"] = "nosniff"\n', ""),
    ),
    (16, "tests/webapp/test_doors.py::test_every_answer_is_guarded"): (
        Removal(
            "webapp/headers.py",
            '        headers["Content-Security-Policy"] = policy\n',
            "        str(policy)\n",
        ),
        Removal("webapp/headers.py", "script-src 'self'; ", "script-src 'self' 'unsafe-inline'; "),
        Removal("webapp/headers.py", '            headers.setdefault("Cache-Control", "no-store")\n', ""),
    ),
    (16, "tests/webapp/test_whole_map.py::test_every_answer_is_guarded"): (
        Removal(
            "webapp/headers.py",
            '            headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"\n',
            "            pass\n",
        ),
    ),
    (
        17,
        "tests/webapp/test_files_and_secrets.py::test_the_files_a_run_has_made_are_on_its_page_and_can_be_had",
    ): (Removal("webapp/result_files.py", "        as_attachment=True,\n", ""),),
    (17, "tests/webapp/test_hostile_elsewhere.py::test_names_of_files_add_nothing_to_a_header"): (
        Removal(
            "webapp/result_files.py", 'download_name=file_name(row.name) or "file"', "download_name=row.name"
        ),
    ),
    (17, "tests/webapp/test_doors.py::test_too_much_is_refused"): (
        Removal(
            "webapp/app.py",
            "        MAX_CONTENT_LENGTH=LARGEST_REST_BYTES,\n        MAX_FORM_MEMORY_SIZE=LARGEST_REST_BYTES,\n",
            "",
        ),
    ),
    (17, "tests/data_files/test_folder.py::test_names_are_one_plain_part_of_a_path"): (
        Removal(
            "jobs/data_files.py",
            "    if not name.isprintable() or _NOT_IN_NAMES.intersection(name):\n",
            "    if False:\n",
        ),
    ),
    (18, "tests/jobs/test_files.py::test_what_lies_outside_of_the_folder_cannot"): (
        Removal("jobs/beside.py", "    if not path.is_relative_to(folder):\n", "    if False:\n"),
        Removal(
            "jobs/beside.py", "    path = Path(folder, name).resolve()\n", "    path = Path(folder, name)\n"
        ),
    ),
    (18, "tests/jobs/test_files.py::test_yaml_that_is_none_or_would_run_code_is_refused"): (
        Removal("jobs/beside.py", "yaml.safe_load(", "yaml.unsafe_load("),
    ),
    (18, "tests/worker/test_syncs.py::test_a_link_that_leads_out_is_refused"): (
        Removal(
            "worker/git.py",
            '            if not os.path.realpath(place).startswith(f"{os.path.realpath(target)}{os.sep}"):\n',
            "            if False:\n",
        ),
    ),
    (19, "tests/shell/test_commands.py::test_in_a_line_for_a_shell_each_value_is_a_word"): (
        Removal(
            "jobs/shell/template.py",
            "    return _joined(text, texts, shlex.join)\n",
            '    return _joined(text, texts, " ".join)\n',
        ),
    ),
    (20, "tests/webapp/test_hostile_pages.py::test_no_text_adds_an_element_to_a_page"): (
        Removal(
            "webapp/trusted.py",
            "    return clean_text(value)\n",
            '    return __import__("flask").render_template_string(clean_text(value))\n',
        ),
    ),
    (20, "tests/test_house.py::test_nothing_is_marked_as_trusted_html_outside_one_module"): (
        Removal(
            "webapp/errors.py",
            'render_template("errors/fault.html", reference=reference, again=_page_asked_for())',
            "current_app.jinja_env.from_string(reference).render()",
        ),
    ),
    (21, "tests/worker/test_postman.py::test_addresses_that_nothing_is_sent_to"): (
        Removal(
            "worker/outside.py",
            "    return address.is_global and not address.is_multicast and not address.is_reserved\n",
            "    return True\n",
        ),
    ),
    (
        21,
        "tests/worker/test_postman.py::test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to",
    ): (
        Removal(
            "worker/outside.py",
            "        _may_reach(each, settings) for each in addresses\n",
            "        _may_reach(each, settings) for each in addresses[:1]\n",
        ),
    ),
    (21, "tests/worker/test_postman.py::test_it_connects_to_the_address_that_was_checked"): (
        Removal(
            "worker/outside.py",
            "socket.create_connection((self._address, self.port), STEP_SECONDS)",
            "socket.create_connection((self.host, self.port), STEP_SECONDS)",
        ),
    ),
    (21, "tests/worker/test_syncs.py::test_nothing_that_looks_like_an_option_reaches_git"): (
        Removal("store/git_rules.py", '    elif scheme not in ("https", "ssh"):\n', "    elif False:\n"),
    ),
    (22, "tests/worker/test_masking.py::test_a_secret_value_is_masked_inside_of_base64"): (
        Removal("worker/masking.py", "    yield from _in_base64(data)\n", ""),
    ),
    (22, "tests/worker/test_masking.py::test_a_secret_value_is_masked_however_it_is_written"): (
        Removal("worker/masking.py", "    yield html.escape(text)\n", ""),
    ),
    (23, "tests/webapp/test_webhooks.py::test_who_does_not_sign_is_counted_and_fills_nothing"): (
        Removal("worker/signatures.py", "    if not fits:\n", "    if False:\n"),
        Removal(
            "worker/signatures.py",
            "    if abs(time.time() - int(seconds)) > WINDOW_SECONDS:\n",
            "    if False:\n",
        ),
    ),
    (23, "tests/webapp/test_webhooks.py::test_a_signed_request_runs_the_job_once"): (
        Removal(
            "worker/webhooks.py",
            "    if repeated := _repeated(db, webhook, came):\n",
            "    if repeated := None:\n",
        ),
    ),
    (24, "tests/webapp/slack/test_conversation.py::test_only_what_slack_has_signed_is_heard"): (
        Removal(
            "webapp/slack/app.py",
            "        token_verification_enabled=False,\n",
            "        token_verification_enabled=False,\n        request_verification_enabled=False,\n",
        ),
    ),
    (25, "tests/webapp/test_account.py::test_ones_own_password_is_not_guessed_either"): (
        Removal(
            "webapp/account.py",
            "        if seconds := lock_out.seconds_to_wait(user.username, lock_out.OWN_ACCOUNT):\n",
            "        if seconds := 0:\n",
        ),
    ),
    (25, "tests/webapp/test_limits.py::test_what_costs_has_a_limit_for_each_person"): (
        Removal("webapp/limits.py", "    if hit is not None and not hit.allowed:\n", "    if False:\n"),
    ),
    (25, "tests/webapp/test_limits.py::test_what_is_packed_is_not_taken"): (
        Removal("webapp/limits.py", "    app.before_request(_refuse_what_is_packed)\n", ""),
    ),
    (26, "tests/api/test_run.py::test_json_that_cannot_be_read_is_a_400_that_says_where"): (
        Removal("jobs/json_text.py", "    except RecursionError:\n", "    except ZeroDivisionError:\n"),
    ),
    (26, "tests/webapp/test_doors.py::test_a_fault_is_told_by_a_reference_only"): (
        Removal(
            "webapp/errors.py",
            'render_template("errors/fault.html", reference=reference, again=_page_asked_for())',
            'render_template("errors/fault.html", reference=f"{reference}: {error}", again="")',
        ),
    ),
    (26, "tests/webapp/test_hostile_elsewhere.py::test_no_path_adds_a_line_to_the_log"): (
        Removal(
            "webapp/errors.py",
            "asked = (reference, request.method, quote(request.path))",
            "asked = (reference, request.method, request.path)",
        ),
    ),
    (26, "tests/webapp/test_hostile_elsewhere.py::test_a_terminal_gets_lines_of_ours_and_nothing_it_obeys"): (
        Removal(
            "webapp/cli/printing.py", "            return entry_text(value)\n", "            return value\n"
        ),
    ),
    (26, "tests/test_patterns.py::test_no_pattern_takes_longer_than_in_proportion"): (
        Removal("jobs/report/writing.py", "[^\\s)\\]:]*+:[^\\s)]*+", "[^\\s)]*:[^\\s)]*"),
        Removal("store/timing/blackouts.py", "[a-z,\\s-]*+)", "[a-z,\\s-]*?)\\s*"),
    ),
    (27, "tests/webapp/test_hostile_elsewhere.py::test_a_terminal_gets_lines_of_ours_and_nothing_it_obeys"): (
        Removal("webapp/cli/audit.py", "(moment, *map(one_line, facts))", "(moment, *facts)"),
    ),
    (27, "tests/store/test_audit.py::test_a_record_that_was_altered_is_found"): (
        Removal(
            "store/audit.py",
            "        elif record.digest != _digest(record, verdict.sealed, verdict.head):\n",
            "        elif False:\n",
        ),
    ),
    (27, "tests/store/test_audit.py::test_what_was_taken_out_or_cut_off_is_found"): (
        Removal("store/audit.py", "        if record.position != verdict.sealed:\n", "        if False:\n"),
    ),
    (28, "tests/worker/test_worker_processes.py::test_nothing_planted_in_the_queue_is_ever_called"): (
        Removal(
            "worker/rq_worker.py",
            "        known = {key: value for key, value in raw_data.items() if key in _KNOWN}\n",
            "        known = dict(raw_data)\n",
        ),
    ),
    (29, "tests/objects/test_queryset.py::test_wildcards_in_values_are_only_characters"): (
        Removal("store/lookups.py", "test(text, autoescape=True)", "test(text)"),
    ),
    (29, "tests/objects/test_search.py::test_a_page_has_an_end"): (
        Removal("store/object_search.py", "    limit = max(1, min(limit, LARGEST_PAGE))\n", ""),
    ),
    (30, "tests/webapp/test_ways_out.py::test_nobody_is_led_elsewhere"): (
        Removal("webapp/next_page.py", ' or given.startswith(("//", "/\\\\")):', ":"),
    ),
    (30, "tests/webapp/test_doors.py::test_signing_in_leads_nowhere_else"): (
        Removal("webapp/next_page.py", '    if "\\\\" in given or any(', "    if False and any("),
    ),
    (31, "tests/webapp/test_log_tools.py::test_no_cell_of_the_csv_is_a_formula"): (
        Removal(
            "jobs/spreadsheet.py",
            'return f"\'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell',
            "return cell",
        ),
    ),
    (31, "tests/webapp/test_hostile_elsewhere.py::test_no_cell_of_any_file_is_a_formula"): (
        Removal(
            "jobs/spreadsheet.py", ', "\\r", "\\n", "\\uff1d", "\\uff0b", "\\uff0d", "\\uff20")', ', "\\r")'
        ),
    ),
    (32, "tests/webapp/test_proxies.py::test_a_portal_answers_to_its_own_names_only"): (
        Removal(
            "webapp/app.py",
            "        TRUSTED_HOSTS=[*settings.hosts, *THIS_MACHINE] if settings.hosts else None,\n",
            "",
        ),
    ),
    (32, "tests/webapp/test_proxies.py::test_the_word_of_proxies_counts_as_far_as_there_are_any"): (
        Removal(
            "webapp/app.py",
            "    if not proxies:\n        return application\n",
            "    proxies = proxies or 1\n",
        ),
    ),
    (
        33,
        "tests/worker/test_worker_processes.py::test_the_process_of_a_job_holds_nothing_that_opens_the_portal",
    ): (
        Removal(
            "store/settings.py",
            "    kept = {name: value for name, value in os.environ.items() if name not in ours}\n",
            "    kept = dict(os.environ)\n    str(ours)\n",
        ),
    ),
    (34, "tests/test_supply_chain.py::test_what_is_vendored_is_what_was_published"): (
        Removal(
            "static/vendor/htmx-2.0.11.min.js",
            'var htmx=function(){"use strict";',
            'var htmx=function(){"use strict" ;',
        ),
    ),
    (34, "tests/test_supply_chain.py::test_the_launcher_installs_nothing_else"): (
        Removal("errand", " --require-hashes", ""),
    ),
    (35, "tests/webapp/test_doors.py::test_every_route_refuses_strangers"): (
        Removal("webapp/auth.py", '    if not allowed("view"):\n', "    if False:\n"),
    ),
    (35, "tests/api/test_tokens.py::test_every_route_refuses_strangers_and_says_how_to_get_in"): (
        Removal("webapp/api/__init__.py", "blueprint.before_request(tokens.identify)\n", ""),
    ),
}
