"""What a domain function refuses, as errors of the form that asked for it."""

from django import forms

from cms.base.errors import DomainError


def show_refusal(form: forms.Form, error: DomainError) -> None:
    """Put the sentences beside the fields they are about, the others above the form."""
    fields = error.data.get("fields") or {}
    if not fields:
        form.add_error(None, error.message)
    for name, sentences in fields.items():
        own = name.removeprefix("payload.")
        form.add_error(own if own in form.fields else None, sentences)
