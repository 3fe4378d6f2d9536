"""Change what a person says of an account: its capital, what it pays by agreement, what its broker blocks."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.db.accounts import change_account, lock_settings
from app.domain.account_settings import AccountSettings
from app.domain.ids import AccountId
from app.domain.users import Actor, require_control
from app.services.accounts import get_visible_account
from app.services.acts import record


def change_settings(
    session: Session,
    actor: Actor,
    account_id: AccountId,
    changes: Mapping[str, object],
    *,
    reason: str,
) -> Mapping[str, object]:
    """Change the named settings, None takes one back; return all. They count from the next entry on.

    Raises: NotFoundError, ForbiddenError; InvalidInputError for an unknown name or a value out of range.
    """
    account = get_visible_account(session, actor, account_id)
    require_control(actor, account.user_id)
    before = lock_settings(session, account.user_id, account_id)
    after = {name: value for name, value in {**before, **changes}.items() if value is not None}
    AccountSettings.from_mapping(after)
    change_account(session, account.user_id, account_id, settings=after)
    record(
        session,
        actor,
        "account.settings_set",
        subject=f"account {account_id}",
        reason=reason,
        before=before,
        after=after,
    )
    return after
