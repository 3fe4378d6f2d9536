"""Open broker accounts, place them on an address, and switch them between paper and live."""

from sqlalchemy.orm import Session

from app.db.accounts import (
    add_account,
    change_account,
    get_account,
    get_account_for_staff,
    list_accounts_for_staff,
    lock_egress_for_staff,
    lock_open_business,
)
from app.db.accounts import list_accounts as list_accounts_of_user
from app.db.credentials import drop_broker_session, find_credentials
from app.domain.accounts import AccountMode, BrokerAccount, BrokerCode, may_share_egress
from app.domain.entry_checks import check_egress, check_name, credential_fields
from app.domain.errors import ConflictError, ForbiddenError, InvalidInputError
from app.domain.ids import AccountId, UserId
from app.domain.users import Actor, require_admin, require_control
from app.services.acts import record


class EgressTakenError(ConflictError):
    """The source address belongs to another person's account at this broker."""

    code = "egress_taken"


def create_account(
    session: Session,
    actor: Actor,
    user_id: UserId,
    *,
    name: str,
    broker: BrokerCode,
    egress: str = "",
    ip_group: str = "",
) -> BrokerAccount:
    """Open an account, on paper.

    Raises: ForbiddenError, InvalidInputError; ConflictError for a taken name; EgressTakenError.
    """
    require_control(actor, user_id)
    check_name("an account", name)
    if ip_group:
        require_admin(actor)
        check_name("an ip_group", ip_group)
    account = add_account(
        session, user_id, name=name, broker=broker, egress=check_egress(egress), ip_group=ip_group
    )
    _check_egress_is_free(session, account)
    record(
        session, actor, "account.added", subject=_subject(account), name=name, broker=broker, egress=egress
    )
    return account


def list_accounts(session: Session, actor: Actor) -> list[BrokerAccount]:
    """Return all accounts to staff, and to everybody else their own."""
    if actor.is_staff:
        return list_accounts_for_staff(session)
    return [] if actor.user_id is None else list_accounts_of_user(session, actor.user_id)


def get_visible_account(session: Session, actor: Actor, account_id: AccountId) -> BrokerAccount:
    """Return an account that the actor may see. Raises NotFoundError."""
    if actor.is_staff or actor.user_id is None:
        return get_account_for_staff(session, account_id)
    return get_account(session, actor.user_id, account_id)


def place_on_egress(
    session: Session,
    actor: Actor,
    account_id: AccountId,
    *,
    egress: str,
    ip_group: str | None = None,
    allows_shared_egress: bool = False,
    reason: str = "",
) -> BrokerAccount:
    """Let an account leave through another source address; the broker session ends, for it is bound to one.

    Args:
        session: the transaction.
        actor: an admin.
        account_id: whose address changes.
        egress: an address of this machine, "" for the default route.
        ip_group: the family that may share it; None keeps the present one.
        allows_shared_egress: the operator answers for strangers on one address; needs a reason.
        reason: for the audit log.

    Raises: ForbiddenError, InvalidInputError; ConflictError while the account holds anything;
        EgressTakenError.
    """
    require_admin(actor)
    if allows_shared_egress and not reason:
        raise InvalidInputError("expected a reason for strangers to share an address, got none")
    account = get_account_for_staff(session, account_id)
    _require_flat(session, account, "before its address changes")
    account = change_account(
        session,
        account.user_id,
        account_id,
        egress=check_egress(egress),
        ip_group=account.ip_group if ip_group is None else ip_group,
        allows_shared_egress=allows_shared_egress,
    )
    _check_egress_is_free(session, account)
    drop_broker_session(session, account)
    record(
        session,
        actor,
        "account.egress_set",
        subject=_subject(account),
        reason=reason,
        egress=account.egress,
        ip_group=account.ip_group,
        allows_shared_egress=allows_shared_egress,
    )
    return account


def live_confirmation(account: BrokerAccount) -> str:
    """Return the words that a person types to send an account's orders to a live broker."""
    return f"LIVE {account.name}"


def go_live(
    session: Session,
    actor: Actor,
    account_id: AccountId,
    *,
    confirmation: str,
    is_live_allowed: bool,
    reason: str,
) -> BrokerAccount:
    """Send an account's orders to the live broker from now on (I15).

    Raises: ForbiddenError when the installation or the actor may not; InvalidInputError for other words
        than `live_confirmation`; ConflictError for a paper broker, missing credentials, or while the
        account holds anything.
    """
    account = get_visible_account(session, actor, account_id)
    require_control(actor, account.user_id)
    if not is_live_allowed:
        raise ForbiddenError(
            "live trading is off in this installation; set OPENBELL_IS_LIVE_TRADING_ALLOWED=true and restart"
        )
    if confirmation != live_confirmation(account):
        raise InvalidInputError(f"expected the words {live_confirmation(account)!r}, got {confirmation!r}")
    if not credential_fields(account.broker):
        raise ConflictError(f"expected an account at a live broker, got one at {account.broker}")
    if find_credentials(session, account) is None:
        raise ConflictError(f"expected stored credentials for {account.name}, got none; set them first")
    _require_flat(session, account, "before it goes live")
    return _switch(session, actor, account, mode=AccountMode.LIVE, reason=reason)


def go_paper(session: Session, actor: Actor, account_id: AccountId, *, reason: str) -> BrokerAccount:
    """Keep an account's orders from the live broker from now on.

    Raises: ForbiddenError; ConflictError while the account holds anything: on paper nobody would close it.
    """
    account = get_visible_account(session, actor, account_id)
    require_control(actor, account.user_id)
    _require_flat(session, account, "before it goes to paper")
    return _switch(session, actor, account, mode=AccountMode.PAPER, reason=reason)


def set_enabled(
    session: Session, actor: Actor, account_id: AccountId, *, is_enabled: bool, reason: str
) -> BrokerAccount:
    """Take an account into the trading day or out of it.

    Raises: ForbiddenError; ConflictError while it holds anything: who is out gets no exits.
    """
    account = get_visible_account(session, actor, account_id)
    require_control(actor, account.user_id)
    if not is_enabled:
        _require_flat(session, account, "before it is disabled")
    changed = change_account(session, account.user_id, account_id, is_enabled=is_enabled)
    action = "account.enabled" if is_enabled else "account.disabled"
    record(session, actor, action, subject=_subject(account), reason=reason)
    return changed


def _switch(
    session: Session, actor: Actor, account: BrokerAccount, *, mode: AccountMode, reason: str
) -> BrokerAccount:
    changed = change_account(session, account.user_id, account.account_id, mode=mode)
    record(session, actor, "account.mode_set", subject=_subject(account), reason=reason, mode=mode)
    return changed


def _require_flat(session: Session, account: BrokerAccount, why: str) -> None:
    if lock_open_business(session, account.user_id, account.account_id):
        raise ConflictError(
            f"expected {account.name} to be flat {why}, got positions or open orders; square off first"
        )


def _check_egress_is_free(session: Session, account: BrokerAccount) -> None:
    others = lock_egress_for_staff(session, account.broker, account.egress)
    strangers = [other for other in others if not may_share_egress(account, other)]
    if strangers:
        # No names: the caller may not be allowed to know the others.
        raise EgressTakenError(
            f"expected an egress of its own for this {account.broker} account, got "
            f"{account.egress or 'the default route'}, which {len(strangers)} account(s) of others use; "
            "one registered address serves one client or family (same ip_group)"
        )


def _subject(account: BrokerAccount) -> str:
    return f"account {account.account_id}"
