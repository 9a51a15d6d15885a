"""Bring the database up to date and load the demo: two management commands that load Django once."""

import django
from django.core.management import call_command


def main() -> None:
    """The demo's logins go to standard output, one line each."""
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("load_demo")


if __name__ == "__main__":
    main()
