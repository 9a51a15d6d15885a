"""Every published test case of OCPP 1.6 that concerns a central system has a test that bears its number."""

import re
from pathlib import Path

# OCPP 1.6 conformance and its security edition, without the cases that only a station can fail.
CASES = """
    001 003 004_1 004_2 005_1 007 010 011_1 011_2 012 013 014 017_1 017_2 018_1 019_1 019_2 021
    023_1 023_2 023_3 024 026 028 030 031 032_1 037_1 037_3 039 040_1 040_2 042_1 042_2 043_1 043_3
    043_4 043_5 044_1 044_2 044_3 045_1 046 047 048_1 048_2 048_3 048_4 049 051 052 054 055 056 057
    059 061 064 066 067 073 074 075_1 075_2 076 077 078 079 080 081 083 085 086 087 088
"""
FOLDER = Path(__file__).parent / "ocpp16"


def numbers_in(source: str) -> set[str]:
    """Those in the names of test functions, and the cases that one is asked in turn."""
    names = " ".join(re.findall(r"def test_(tc_\w+)", source))
    asked = " ".join(re.findall(r'\(\s*"(tc_\w+)",', source))
    return set(re.findall(r"tc_(\d{3}(?:_\d)?)(?=_|\s|$)", f"{names} {asked}"))


def test_every_case_has_a_test_of_its_number():
    tested = set().union(*(numbers_in(path.read_text()) for path in FOLDER.glob("test_*.py")))
    assert sorted(set(CASES.split()) - tested) == []


def test_a_number_is_found_in_a_name_and_among_what_is_asked_and_nowhere_else():
    source = """
    # tc_001 is not tested
    @pytest.mark.parametrize("case", [("tc_023_1", "Invalid"), ("tc_023_2", "Expired")])
    async def test_tc_013_tc_014_reset(): ...
    async def test_tc_044_1_update(): "tc_088"
    """
    assert numbers_in(source) == {"013", "014", "023_1", "023_2", "044_1"}
