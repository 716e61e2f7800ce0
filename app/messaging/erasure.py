"""What an erasure does to every table of a business: the one list that none may be missing from.

A new table has to be entered here: with the statement that takes a person out of it, or with
the reason why nobody is in it. A test compares the lists with the schema, and another searches
a dump made after an erasure.
"""

_SENDS = """
    send_id in (select s.id from sends s
                where s.tenant_id = :tenant_id and s.conversation_id = any(:conversations))
"""
_THREAD = "tenant_id = :tenant_id and conversation_id = any(:conversations)"
_PERSON = "tenant_id = :tenant_id and contact_id = any(:contacts)"

# What a charge refers to stays as an empty shell: that a reply was accepted, not to whom or what
# it said. Else the books could no longer be proved.
ERASED = {
    "conversation_notes": f"delete from conversation_notes where {_THREAD}",  # noqa: S608
    "conversation_labels": f"delete from conversation_labels where {_THREAD}",  # noqa: S608
    "conversation_reads": f"delete from conversation_reads where {_THREAD}",  # noqa: S608
    "conversation_summaries": f"delete from conversation_summaries where {_THREAD}",  # noqa: S608
    "unanswered_questions": f"delete from unanswered_questions where {_THREAD}",  # noqa: S608
    "turn_traces": f"""
        delete from turn_traces where tenant_id = :tenant_id and turn_id in (
            select id from turns where {_THREAD})
    """,  # noqa: S608
    "message_media": f"""
        delete from message_media where tenant_id = :tenant_id and message_id in (
            select id from messages where {_THREAD})
    """,  # noqa: S608
    "messages": f"delete from messages where {_THREAD}",  # noqa: S608
    "contact_addresses": f"delete from contact_addresses where {_PERSON}",  # noqa: S608
    "contact_tags": f"delete from contact_tags where {_PERSON}",  # noqa: S608
    "contact_facts": f"delete from contact_facts where {_PERSON}",  # noqa: S608
    "contact_verifications": f"delete from contact_verifications where {_PERSON}",  # noqa: S608
    "contact_imports": """
        delete from contact_imports where tenant_id = :tenant_id and done_at is null
          and exists (select 1 from unnest(cast(:phones as text[])) phone
                      where position(phone in rows::text) > 0)
    """,
    "send_parts": f"""
        update send_parts set wa_id = null,
            error = case when state in ('queued', 'sending') then 'erased' else error end,
            state = case state when 'queued' then 'failed' when 'sending' then 'unknown'
                         else state end
        where tenant_id = :tenant_id and {_SENDS}
    """,  # noqa: S608
    "desk_sends": f"update desk_sends set open = false, lease_owner = null where {_THREAD}",  # noqa: S608
    "sends": f"update sends set address = '' where {_THREAD}",  # noqa: S608
    "turns": f"""
        update turns set result = null,
            end_reason = case when finished_at is null then 'erased' else end_reason end,
            state = case when finished_at is null then 'cancelled' else state end,
            lease_owner = null, lease_until = null, lease_epoch = lease_epoch + 1,
            finished_at = coalesce(finished_at, now())
        where {_THREAD}
    """,  # noqa: S608
    "conversations": """
        update conversations set state = 'resolved', resolved_at = coalesce(resolved_at, now()),
            address = '', handover_summary = null, human_until = null, paused_until = null,
            typing_until = null
        where tenant_id = :tenant_id and id = any(:conversations)
    """,
    "contacts": """
        update contacts set name = null, push_name = null, notes = null, erased_at = now()
        where tenant_id = :tenant_id and id = any(:contacts)
    """,
    # A prepared export holds everybody: it is thrown away, one under way begins again.
    "business_export_chunks": "delete from business_export_chunks where tenant_id = :tenant_id",
    "business_exports": """
        update business_exports set
            state = case when state = 'ready' then 'expired' else 'queued' end,
            table_name = null, after = null, tables_done = 0, rows_done = 0, size_bytes = 0,
            chunks = 0
        where tenant_id = :tenant_id and state in ('running', 'ready')
    """,
}
"""Table to statement, in the order in which they run; ``:contacts``, ``:conversations``,
``:phones`` (digits)."""

BY_HAND = frozenset({"inbox", "inbox_keys", "phone_codes"})
"""Found by what they contain rather than by whose they are: see ``data_rights.erase_contact``."""

NOBODY = {
    **dict.fromkeys(
        (
            "balance_marks", "charge_day_revenue", "charge_days", "credit_holds", "credit_lots",
            "credit_minutes", "credit_ops", "credit_requests", "hold_parts", "journal",
            "ledger_proofs", "payment_reversals", "payments", "subscriptions", "wallets",
        ),
        "books: amounts, and ids that lead to an empty shell",
    ),
    **dict.fromkeys(
        (
            "assistant_profiles", "assistant_versions", "auto_top_ups", "billing_profiles",
            "canned_replies",
            "channel_campaigns", "channels", "labels", "question_answers", "tenant_conduct",
            "tenant_tools", "tenants",
        ),
        "what the business wrote about itself",
    ),
    **dict.fromkeys(
        (
            "knowledge_chunks", "knowledge_documents", "knowledge_generations",
            "knowledge_sources", "knowledge_uploads", "knowledge_vectors",
        ),
        "what the business wrote or uploaded for everybody",
    ),
    **dict.fromkeys(
        ("api_keys", "consents", "invitations", "memberships", "user_notifications"),
        "the business's own people",
    ),
    **dict.fromkeys(
        ("media_garbage", "send_attempts", "tenant_changes", "tenant_queues"),
        "ids, states and times alone",
    ),
    "tenant_days": "counts of a day",
    "audit_log": "ids and figures; no entry holds a customer's name, number or words",
    "mails": "sealed, and wiped once sent; what customers wrote leaves with the letter",
}  # fmt: skip
"""Table to the reason why an erasure leaves it alone."""
