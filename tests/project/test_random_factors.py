"""Random things that are built of parts: no part tells anything of another that it should not."""

from collections import Counter
from dataclasses import astuple

import numpy as np
import pytest
from tests.project.association import dependent_pairs, joint_faults, joint_table
from tests.project.augmentation_factors import JOINT_TESTS
from tests.project.random_factors import FACTORS, persons_of_datasets, seeds_of_purposes


@pytest.mark.parametrize("name", JOINT_TESTS)
def test_what_an_augmentation_draws_is_independent_part_by_part(name):
    groups = JOINT_TESTS[name]()
    assert len(groups) > 1
    assert dependent_pairs(groups) == []


@pytest.mark.parametrize("name", FACTORS)
def test_the_parts_of_a_random_thing_tell_nothing_of_each_other(name):
    groups = FACTORS[name]()
    assert len(groups) > 1
    assert dependent_pairs(groups) == []


def test_no_two_synthetic_datasets_show_the_same_person():
    persons = persons_of_datasets()
    who = {name: {astuple(identity)[-8:] for identity in identities} for name, identities in persons.items()}
    assert len(who) == 9
    assert all(len(each) >= 20 for each in who.values())
    shown = Counter(person for each in who.values() for person in each)
    assert max(shown.values()) == 1


def test_no_number_that_makes_a_person_is_drawn_for_another_datasets():
    """Another age or gender is given in some datasets: the look differs then, and the random numbers do not."""
    persons = persons_of_datasets()
    drawn = [
        {value for identity in identities for value in (identity.redness, identity.cheek_fullness, identity.wrinkling)}
        for identities in persons.values()
    ]
    assert max(Counter(value for each in drawn for value in each).values()) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_a_runs_seeds_of_different_purposes_never_meet(seed):
    purposes = seeds_of_purposes(seed)
    met = Counter(value for values in purposes.values() for value in values.tolist())
    assert len(purposes) == 3
    assert max(met.values()) == 1


def test_association_is_found_between_classes_numbers_and_both_and_not_where_there_is_none():
    rng = np.random.default_rng(0)
    a, b, coin = rng.normal(size=1_000), rng.normal(size=1_000), rng.random(1_000) < 0.5
    independent = {"a": {"": a}, "b": {"": b}, "coin": {"": coin}}
    assert dependent_pairs(independent) == []
    assert dependent_pairs({**independent, "sum": {"": a + 3 * b}})[0].startswith("a:  and sum")
    assert len(dependent_pairs({**independent, "sign": {"": a > 0}})) == 1
    # Only the spread depends on the coin
    assert len(dependent_pairs({"coin": {"": coin}, "spread": {"": np.where(coin, 3 * a, a)}})) == 1
    assert len(dependent_pairs({"coin": {"": coin}, "same": {"": np.where(rng.random(1_000) < 0.8, coin, ~coin)}})) == 1
    assert dependent_pairs({"one": {"coin": coin, "same": coin}, "b": {"": b}}) == []


def test_the_joint_table_counts_every_combination_and_finds_shares_that_are_off():
    rng = np.random.default_rng(0)
    coins = {"a": rng.random(2_000) < 0.5, "b": rng.random(2_000) < 0.2}
    shares = {(a, b): 0.5 * (0.2 if b else 0.8) for a in (False, True) for b in (False, True)}
    assert sum(joint_table(coins).values()) == 2_000
    assert joint_faults(coins, shares) == []
    assert len(joint_faults({**coins, "b": coins["a"] & coins["b"]}, shares)) > 1
    impossible = {**shares, (True, True): 0.0, (True, False): 0.5}
    assert any("a and b" in fault for fault in joint_faults(coins, impossible))
