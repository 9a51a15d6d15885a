import pytest

from stations.ocpp.errors import MAX_DESCRIPTION, CallRefused, ErrorCode, code_for
from stations.ocpp.versions import Version

TABLE_16 = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
TABLE_2X = (TABLE_16 - {"FormationViolation", "OccurenceConstraintViolation"}) | {
    "FormatViolation",
    "OccurrenceConstraintViolation",
    "MessageTypeNotSupported",
    "RpcFrameworkError",
}


@pytest.mark.parametrize(
    ("version", "table"),
    [(Version.V16, TABLE_16), (Version.V201, TABLE_2X), (Version.V21, TABLE_2X)],
)
def test_a_version_is_answered_in_its_own_words_only(version: Version, table: set[str]) -> None:
    assert {code_for(version, error) for error in ErrorCode} == table


def test_16_keeps_its_misspellings() -> None:
    assert code_for(Version.V16, ErrorCode.FORMAT_VIOLATION) == "FormationViolation"
    assert (
        code_for(Version.V16, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION)
        == "OccurenceConstraintViolation"
    )


def test_not_supported_and_not_implemented_are_not_swapped() -> None:
    for version in Version:
        assert code_for(version, ErrorCode.NOT_SUPPORTED) == "NotSupported"
        assert code_for(version, ErrorCode.NOT_IMPLEMENTED) == "NotImplemented"


def test_a_version_is_written_as_its_number_and_names_its_subprotocol() -> None:
    assert Version("2.0.1") is Version.V201
    assert [version.subprotocol for version in Version] == ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]


def test_a_refusal_cuts_its_description_and_shows_its_code() -> None:
    refusal = CallRefused(ErrorCode.SECURITY_ERROR, "no " * 200)
    assert len(refusal.description) == MAX_DESCRIPTION
    assert refusal.details == {}
    assert str(refusal).startswith("SecurityError: no no")
