"""Certificates, keys and security profiles."""

from cms.portal.question import Question

QUESTIONS: dict[str, Question] = {}
