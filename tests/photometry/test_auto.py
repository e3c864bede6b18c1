"""Which method is chosen for which star, and that the result says so."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from tessellar.photometry import METHODS, STATUS, AutoPhotometry, Result, Settings, StampGrowth
from tessellar.photometry.auto import Outcome, choose_method, outcome_of
from tests.photometry.fieldsky import surroundings
from tests.photometry.halosky import bright_star


@pytest.mark.parametrize(
    ("outcome", "method", "why"),
    [
        (Outcome(tmag=3.0, measured=True, edge_fraction=0.002), "aperture", "no rule"),
        (Outcome(tmag=3.0, measured=True, edge_fraction=0.02), "halo", "2.0% of the expected flux"),
        (Outcome(tmag=3.0, measured=False), "halo", "no aperture"),
        (Outcome(tmag=6.5, measured=False, response=True), "aperture", "no rule"),
        (Outcome(tmag=6.5, measured=True, edge_fraction=0.5, contamination=0.5, response=True), "aperture", "no rule"),
        (Outcome(tmag=11.0, measured=True, contamination=0.3, response=True), "linpsf", "30%"),
        (Outcome(tmag=11.0, measured=True, contamination=0.3, response=False), "aperture", "no rule"),
        (Outcome(tmag=11.0, measured=True, contamination=0.01, blend=1.2, response=True), "linpsf", "1.2 px"),
        (Outcome(tmag=11.0, measured=False, response=True), "linpsf", "no aperture"),
        (Outcome(tmag=None, measured=True, contamination=0.9, response=True), "aperture", "no rule"),
    ],
)
def test_the_rules(outcome, method, why):
    chosen, told = choose_method(outcome)
    assert chosen == method
    assert why in told
    assert len(told) < 68  # of a header card


class _Fake:
    """A method that gives a result as it was told to."""

    def __init__(self, name, **given):
        self.name = name
        self.given = given

    def run(self, stamp, target, stars, settings):
        made = {"status": STATUS.OK, "reasons": (), "method": self.name, "stamp": stamp, "target": target}
        return Result(**{**made, "settings": settings, **self.given})


def _run(tmag=3.0, stars=None, **methods):
    sky = bright_star(tmag, count=5, size=15)
    made = AutoPhotometry({name: lambda fake=fake: fake for name, fake in methods.items()})
    return made.run(sky.stamp, sky.target, stars, Settings())


def _edge(share, tmag=3.0):
    return MappingProxyType({"edge_flux": share * 10 ** (-0.4 * (tmag - 20.44)), "mean_flux": 1.0})


def test_a_star_that_leaves_its_stamp_goes_to_its_halo_and_the_result_says_why():
    result = _run(
        aperture=_Fake("aperture", metrics=_edge(0.3), grow=StampGrowth(up=10)),
        halo=_Fake("halo", metrics=MappingProxyType({"edge_flux": 0.0, "mean_flux": 2.0})),
    )
    assert result.method == "halo"
    assert result.cards["AUTOMETH"][0] == "halo"
    assert result.cards["AUTOWHY"][0].startswith("30.0% of the expected flux")
    # The edge flux stays the aperture's, and a larger stamp is tried where there is one, but not missed.
    assert result.metrics["edge_flux"] == pytest.approx(0.3 * 10 ** (0.4 * 17.44))
    assert result.metrics["mean_flux"] == 2.0
    assert result.grow == StampGrowth(up=10, needed=False)


def test_where_the_halo_fails_the_aperture_is_kept():
    result = _run(
        aperture=_Fake("aperture", metrics=_edge(0.3), status=STATUS.WARNING, reasons=("light is lost",)),
        halo=_Fake("halo", status=STATUS.SKIPPED, reasons=("too few pixels",)),
    )
    assert (result.method, result.status) == ("aperture", STATUS.WARNING)
    assert result.reasons == ("light is lost", "halo: too few pixels")
    assert result.cards["AUTOMETH"][0] == "aperture"


def test_an_ordinary_star_is_measured_once():
    result = _run(tmag=9.0, aperture=_Fake("aperture", metrics=_edge(0.3, 9.0)))
    assert result.cards["AUTOMETH"][0] == "aperture"


def test_the_nearest_star_alike_counts_however_many_faint_ones_are_nearer():
    stars = surroundings([9.0, 14.0, 11.0, 10.0], column=[50.0, 50.5, 51.2, 53.0], row=[50.0] * 4, tic=[77, 1, 2, 3])
    sky = bright_star(9.0, count=5, size=15)
    result = _Fake("aperture", metrics=_edge(0.0, 9.0)).run(sky.stamp, sky.target, stars, Settings())
    assert outcome_of(result, stars).blend == pytest.approx(1.2)
    assert outcome_of(replace(result, status=STATUS.ERROR), None).blend == np.inf
    assert not outcome_of(result, stars).response


def test_every_method_that_the_rules_name_exists():
    assert {"aperture", "halo", "linpsf"} <= set(METHODS)


def test_a_star_that_bleeds_out_of_its_stamp():
    # 25 rows hold a third of what a star of T = 2 spills, and there are no more.
    sky = bright_star(2.0, size=25, count=200)
    result = AutoPhotometry().run(sky.stamp, sky.target, None, Settings(aperture="threshold"))
    assert result.status.has_light_curve, result.reason
    assert result.method == "halo"
    assert np.median(result.columns["FLUX"]) == pytest.approx(sky.target.expected_flux())
