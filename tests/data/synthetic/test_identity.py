"""Persons: that they are drawn within bounds, grow up and grow old."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.synthetic import ETHNICITIES, GENDERS, sample_identity


def persons(count: int = 120, **options):
    return [sample_identity(np.random.default_rng([3, k]), **options) for k in range(count)]


def test_the_same_seed_is_the_same_person_and_another_seed_another():
    one, same, other = (sample_identity(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_given_gender_ethnicity_and_age_are_kept():
    person = sample_identity(np.random.default_rng(0), gender="female", ethnicity="indian", age=42.0)
    assert (GENDERS[person.gender], ETHNICITIES[person.ethnicity], person.age) == ("female", "indian", 42.0)


def test_both_genders_and_all_ethnicities_are_drawn():
    drawn = persons()
    assert {person.gender for person in drawn} == {0, 1}
    assert {person.ethnicity for person in drawn} == {0, 1, 2, 3, 4}


def test_groups_differ_on_average_and_overlap():
    men, women = ([p.jaw_width for p in persons(gender=gender)] for gender in GENDERS)
    assert np.mean(men) > np.mean(women)
    assert min(men) < max(women)


def test_another_age_changes_nothing_else():
    person = sample_identity(np.random.default_rng(4), age=30)
    older = person.at_age(70)
    assert older.age == 70.0
    assert dataclasses.replace(older, age=person.age) == person


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_age_marks_only_grow_with_the_years_and_stay_shares(seed):
    person = sample_identity(np.random.default_rng(seed))
    for mark in ("growth", "wrinkles", "greyness", "recession"):
        values = [getattr(person.at_age(age), mark) for age in (1, 10, 25, 40, 60, 80, 100)]
        assert values == sorted(values)
        assert values[0] >= 0.0
        assert values[-1] <= 1.0
    assert person.at_age(18).growth == 1.0
    assert person.at_age(25).wrinkles == 0.0
    assert person.at_age(80).wrinkles > 0.5


def test_children_wear_no_makeup():
    painted = next(person for person in persons(gender="female", age=30) if person.makeup > 0.5)
    assert painted.worn_makeup == painted.makeup
    assert painted.at_age(6).worn_makeup == 0.0


@pytest.mark.parametrize("age", [0.0, 0.99, 100.1, -5.0, float("nan")])
def test_an_age_out_of_range_is_refused(age):
    with pytest.raises(ValueError, match=r"age .+ lies outside 1 to 100, in Identity: .+"):
        sample_identity(np.random.default_rng(0), age=age)


@pytest.mark.parametrize(("name", "value"), [("gender", "woman"), ("ethnicity", "latino")])
def test_an_unknown_group_is_refused_with_the_known_ones(name, value):
    with pytest.raises(ValueError, match=rf"no {name} '{value}', in sample_identity: give one of .+"):
        sample_identity(np.random.default_rng(0), **{name: value})
