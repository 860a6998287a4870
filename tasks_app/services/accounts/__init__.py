"""Writes about accounts: their end, tokens, log-in limits, changes of access."""

from tasks_app.services.accounts.access_changes import ACCESS_GROUP, EVERYBODY, announce_access
from tasks_app.services.accounts.lifecycle import (
    end_access,
    end_other_sessions,
    end_session,
    has_acts,
    is_former,
    keep_what_they_did,
    log_out_everywhere,
    loses_trust,
    note_session,
    remove_forgotten_users,
)
from tasks_app.services.accounts.login_limits import (
    Attempt,
    TooManyAttempts,
    account_key,
    admit,
    forget_failures,
    succeeded,
)
from tasks_app.services.accounts.tokens import (
    Replace,
    TooManyTokens,
    default_lifetime,
    issue_token,
    note_use,
    revoke_token,
)

__all__ = [
    "ACCESS_GROUP",
    "EVERYBODY",
    "Attempt",
    "Replace",
    "TooManyAttempts",
    "TooManyTokens",
    "account_key",
    "admit",
    "announce_access",
    "default_lifetime",
    "end_access",
    "end_other_sessions",
    "end_session",
    "forget_failures",
    "has_acts",
    "is_former",
    "issue_token",
    "keep_what_they_did",
    "log_out_everywhere",
    "loses_trust",
    "note_session",
    "note_use",
    "remove_forgotten_users",
    "revoke_token",
    "succeeded",
]
