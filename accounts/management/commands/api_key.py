"""`manage.py api_key --operator SLUG [--role ROLE]`: prints a new key and nothing else."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.choices import Role
from accounts.models import Operator
from accounts.services.actors import Actor
from accounts.services.api_keys import create_api_key


class Command(BaseCommand):
    help = "Make an API key of an operator and print it, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--operator", required=True, metavar="SLUG")
        parser.add_argument("--role", choices=Role.values, default=Role.MANAGER.value)
        parser.add_argument("--name", default="", help="what the key is for")

    def handle(self, *args: Any, operator: str, role: str, name: str, **options: Any) -> None:
        owner = Operator.objects.filter(slug=operator).first()
        if owner is None:
            raise CommandError(f"There is no operator {operator!r}. Make one: create_operator.")
        _, key = create_api_key(acting=Actor.system(owner), role=Role(role), name=name[:80])
        self.stdout.write(key)
