"""Pages of users, groups, tokens and passwords."""

from tasks_app.admin.accounts import users
from tasks_app.admin.accounts.names import give_names
from tasks_app.admin.accounts.password import own_password
from tasks_app.admin.accounts.rights import MembershipFormSet

give_names()

__all__ = ["MembershipFormSet", "own_password", "users"]
