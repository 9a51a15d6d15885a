"""`manage.py create_user EMAIL --password P [--operator SLUG --role ROLE]`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.choices import Role
from accounts.models import Operator
from accounts.services.operators import add_member, create_user
from cms.base.errors import DomainError


class Command(BaseCommand):
    help = "Make a user who can sign in; with --operator, a member of that team."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--password", required=True)
        parser.add_argument("--operator", metavar="SLUG")
        parser.add_argument("--role", choices=Role.values, default=Role.MANAGER.value)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        operator = None
        if options["operator"]:
            operator = Operator.objects.filter(slug=options["operator"]).first()
            if operator is None:
                raise CommandError(f"There is no operator {options['operator']!r}.")
        try:
            user = create_user(email=options["email"], password=options["password"])
        except DomainError as error:
            raise CommandError(f"{error.message} {error.data or ''}".strip()) from error
        if operator is not None:
            add_member(operator=operator, user=user, role=Role(options["role"]))
        self.stdout.write(f"User {user.email} can sign in.")
