"""Compile translations, bring the database up to date and load the demo; Django is loaded once."""

import django
from django.core.management import call_command

from cms.run.translations import compile_messages


def main() -> None:
    """The demo's logins go to standard output, one line each."""
    compile_messages()
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("load_demo")


if __name__ == "__main__":
    main()
