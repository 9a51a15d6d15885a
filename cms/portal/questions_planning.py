"""Who charges when and how fast: reservations, local lists, charging profiles."""

from cms.portal import questions_charging_profiles, questions_reservations
from cms.portal.question import Question

QUESTIONS: dict[str, Question] = {
    **questions_charging_profiles.QUESTIONS,
    **questions_reservations.QUESTIONS,
}
