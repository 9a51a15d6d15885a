"""`manage.py create_operator SLUG --name NAME`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.services.operators import create_operator
from cms.base.errors import DomainError


class Command(BaseCommand):
    help = "Make an operator: a tenant that owns stations, tokens and tariffs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--country", default="", help="ISO 3166-1, two letters")
        parser.add_argument("--currency", default="EUR", help="ISO 4217")
        parser.add_argument("--time-zone", default="UTC", help="IANA name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            operator = create_operator(
                slug=options["slug"],
                name=options["name"],
                country=options["country"],
                currency=options["currency"],
                time_zone=options["time_zone"],
            )
        except DomainError as error:
            raise CommandError(f"{error.message} {error.data or ''}".strip()) from error
        self.stdout.write(f"Operator {operator.slug} is ready.")
