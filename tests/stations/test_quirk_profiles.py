"""The files of quirk profiles, and which station gets which."""

import pytest

from stations.quirks import NO_QUIRKS, QuirkError, all_profiles, best_of, find_profile, read_profile


def test_every_shipped_profile_reads_and_names_its_sources():
    assert len(all_profiles()) >= 5
    for profile in all_profiles():
        assert profile.title
        assert profile.match
        assert profile.sources
        assert all(source.startswith("https://") for source in profile.sources)


@pytest.mark.parametrize(
    ("vendor", "model", "firmware", "key"),
    [
        ("Keba AG", "KC-P30-EC2401B2-M0R", "1.12.0", "keba-p30"),
        ("UnitedChargers", "Grizzl-E Smart Connect", "GWM-07.020-03_GCW-10.18-05.7", "grizzl-e"),
        ("ABB", "CDT_TACW11::NET_WIFI", "TAC3Z9119006710273::V1.8.21", "abb-terra-ac"),
        ("OpenEVSE", "OpenEVSE", "4.2.2", "openevse"),
        ("OpenEVSE", "OpenEVSE", "5.1.0", ""),
        ("Growatt", "THOR", "", "growatt"),
        ("ABB", "Terra 54", "", ""),
        ("", "", "", ""),
    ],
)
def test_a_station_gets_the_profile_of_its_kind(vendor, model, firmware, key):
    assert find_profile(vendor, model, firmware).key == key


def test_the_profile_that_says_more_about_the_station_wins():
    head = 'title = "x"\nsources = []\n'
    wide = read_profile("wide", head + 'match = [{ vendor = "acme*" }]')
    narrow = read_profile("narrow", head + 'match = [{ vendor = "acme*", firmware = "1.*" }]')
    for profiles in ([wide, narrow], [narrow, wide]):
        assert best_of(profiles, "ACME Inc", "A", "1.2") is narrow
        assert best_of(profiles, "Acme", "A", "2.0") is wide
    assert best_of([wide], "Other", "", "") is NO_QUIRKS


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title = ", "Invalid value"),
        ('sources = []\nmatch = [{ vendor = "a" }]', "title"),
        ('title = "x"\nsources = []\nmatch = [{}]', "match knows"),
        ('title = "x"\nsources = []\nmatch = [{ maker = "a" }]', "match knows"),
        ('title = "x"\nsources = []\nmatch = [{ vendor = "a" }]\n[timestamp]\n', "timestamp"),
        ('title = "x"\nsources = []\nmatch = []\n[timestamps]\nwithout_zone = "CET"', "CET"),
        ('title = "x"\nsources = []\nmatch = []\n[timestamps]\nzone = "UTC"', "timestamps.zone"),
        ('title = "x"\nsources = []\nmatch = []\n[id_tokens]\npattern = "("', "unterminated"),
        ('title = "x"\nsources = []\nmatch = []\n[id_tokens]\npattern = "(.*)"', "uid"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_fault(text, complaint):
    with pytest.raises(QuirkError, match=f"mine.*{complaint}"):
        read_profile("mine", text)
