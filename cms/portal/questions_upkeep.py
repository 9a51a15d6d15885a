"""Firmware, diagnostics and logs."""

from cms.portal.question import Question

QUESTIONS: dict[str, Question] = {}
