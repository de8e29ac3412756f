"""Who a synthetic face is: bone, features, colouring and hair, and what the years do to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.errors import MienError
from mien.labels import ETHNICITIES, GENDERS

HAIR_STYLES: tuple[str, ...] = ("shaved", "short", "parted", "fringe", "bob", "long", "curly", "tied")
"""``Identity.hair_style`` is a position in this tuple."""

AGE_RANGE = (1.0, 100.0)


@dataclass(frozen=True)
class Identity:
    """One person, apart from expression, pose and picture. Lengths are in inter-ocular distances (IOD) of the adult.

    ``age`` (years, 1 to 100) acts when the face is rendered: children have short faces, large eyes and small noses;
    wrinkles, grey and receding hair, thin lips and sagging skin come later, each at the person's own rate.
    ``identity.at_age(70)`` is therefore the same person, older.

    Fields without a unit are propensities in [0, 1]; ``*_tilt`` and ``asymmetry`` are signed around 0.

    Raises:
        MienError: ``age`` lies outside 1 to 100.
    """

    age: float
    gender: int  # position in GENDERS
    ethnicity: int  # position in ETHNICITIES
    masculinity: float  # of the bones
    # head
    face_width: float  # half width at the cheekbones, IOD
    face_length: float  # eyes to chin, IOD
    jaw_width: float  # share of face_width
    chin_width: float  # half width, IOD
    cheek_fullness: float
    forehead_height: float  # eyes to hairline, IOD
    ear_size: float  # factor
    # eyes and brows
    eye_width: float  # half width, IOD
    eye_opening: float  # height, IOD
    eye_tilt: float  # outer corner above the inner one, IOD
    lid_fold: float  # 0 deep-set with a crease, 1 no crease
    brow_height: float  # above the eyes, IOD
    brow_thickness: float  # IOD
    brow_arch: float  # IOD
    brow_tilt: float  # outer end above the inner one, IOD
    brow_gap: float  # half distance between the brows, IOD
    # nose and mouth
    nose_length: float  # eyes to its base, IOD
    nose_width: float  # half width, IOD
    nose_bridge: float
    mouth_width: float  # half width, IOD
    mouth_position: float  # 0 at the nose, 1 at the chin
    upper_lip: float  # thickness, IOD
    lower_lip: float  # thickness, IOD
    mouth_tilt: float  # corners above the middle at rest, IOD
    asymmetry: tuple[float, float, float]  # right brow, right eye and right mouth corner lower than the left ones, IOD
    # colouring
    melanin: float  # skin, 0 pale to 1 very dark
    redness: float
    freckles: float
    oiliness: float
    iris_melanin: float  # 0 blue, 0.5 green and hazel, 1 dark brown
    hair_melanin: float  # 0 blond to 1 black
    hair_redness: float
    makeup: float
    # hair
    hair_style: int  # position in HAIR_STYLES
    hair_volume: float
    hair_parting: float  # -1 left to 1 right
    moustache: float
    beard: float
    stubble: float
    # ageing
    wrinkling: float
    greying_age: float  # years, half of the hair grey
    balding: float
    texture_seed: int  # of freckles, strands and pores

    def __post_init__(self) -> None:
        if not AGE_RANGE[0] <= self.age <= AGE_RANGE[1]:
            raise MienError(f"age {self.age} lies outside 1 to 100, in Identity: give years within that range")

    def at_age(self, age: float) -> Identity:
        """Return the same person at another age in years, 1 to 100."""
        return replace(self, age=float(age))

    @property
    def growth(self) -> float:
        """How far the face has grown up: about 0.2 at one year, 1 from 18 years on."""
        return float(np.clip(self.age / 18.0, 0.0, 1.0)) ** 0.55

    @property
    def worn_makeup(self) -> float:
        """Makeup in [0, 1]; none on children."""
        return self.makeup if self.age >= 15.0 else 0.0

    @property
    def wrinkles(self) -> float:
        """Depth of the age's lines, 0 to 1."""
        return float(np.clip((self.age - 27.0) / 50.0, 0.0, 1.0)) * (0.6 + 0.4 * self.wrinkling)

    @property
    def greyness(self) -> float:
        """Share of grey hair, 0 to 1."""
        return float(1.0 / (1.0 + np.exp(-(self.age - self.greying_age) / 5.0)))

    @property
    def recession(self) -> float:
        """How far the hairline has receded, 0 to 1."""
        return self.balding * float(np.clip((self.age - 22.0) / 38.0, 0.0, 1.0))


_SKIN = {
    "white": (0.16, 0.08),
    "black": (0.78, 0.10),
    "asian": (0.28, 0.07),
    "indian": (0.53, 0.10),
    "others": (0.40, 0.14),
}
# Probability of each of HAIR_STYLES.
_STYLES = {
    "male": (0.12, 0.44, 0.24, 0.08, 0.02, 0.03, 0.06, 0.01),
    "female": (0.01, 0.06, 0.08, 0.10, 0.22, 0.33, 0.08, 0.12),
}


def sample_identity(
    rng: np.random.Generator, *, age: float | None = None, gender: str | None = None, ethnicity: str | None = None
) -> Identity:
    """Draw a person.

    Args:
        rng: The source of all randomness.
        age: Years, 1 to 100; sampled between 1 and 90, mostly adult, when None.
        gender: One of ``GENDERS``, or None to draw it.
        ethnicity: One of ``ETHNICITIES`` (UTKFace's words), or None to draw it.

    Raises:
        MienError: An unknown gender or ethnicity, or an age outside 1 to 100.

    Source: ours. Mean proportions follow adult anthropometry (inter-ocular distance 63 mm); the groups differ in the
        mean of some features and overlap in all of them.
    """
    synthetic_gender, synthetic_ethnicity = GENDERS[rng.integers(2)], ETHNICITIES[rng.integers(5)]
    synthetic_age = (
        float(np.clip(rng.gamma(5.0, 7.0), *AGE_RANGE)) if rng.random() > 0.08 else float(rng.uniform(1.0, 15.0))
    )
    gender, ethnicity = gender or synthetic_gender, ethnicity or synthetic_ethnicity
    for given, known, what in ((gender, GENDERS, "gender"), (ethnicity, ETHNICITIES, "ethnicity")):
        if given not in known:
            raise MienError(f"no {what} {given!r}, in sample_identity: give one of {', '.join(known)}")
    codes = {"gender": GENDERS.index(gender), "ethnicity": ETHNICITIES.index(ethnicity)}
    values = _shape(rng, gender, ethnicity) | _colouring(rng, gender, ethnicity) | _hair(rng, gender)
    return Identity(age=synthetic_age if age is None else float(age), **codes, **values)  # type: ignore[arg-type]


def _shape(rng: np.random.Generator, gender: str, ethnicity: str) -> dict[str, object]:
    male = float(np.clip((0.82 if gender == "male" else 0.18) + rng.normal(0.0, 0.15), 0.0, 1.0))
    east, south, black = ethnicity == "asian", ethnicity == "indian", ethnicity == "black"

    def around(mean: float, spread: float) -> float:
        return mean + spread * float(np.clip(rng.normal(), -2.0, 2.0))

    return {
        "masculinity": male,
        "face_width": around(1.13 + 0.03 * east, 0.045),
        "face_length": around(1.66 + 0.12 * male, 0.085),
        "jaw_width": around(0.77 + 0.07 * male, 0.03),
        "chin_width": around(0.30 + 0.10 * male, 0.03),
        "cheek_fullness": float(rng.uniform(0.0, 1.0)),
        "forehead_height": around(1.02, 0.07),
        "ear_size": around(1.0, 0.10),
        "eye_width": around(0.232, 0.011),
        "eye_opening": around(0.188 - 0.02 * male - 0.022 * east, 0.017),
        "eye_tilt": around(0.018 + 0.022 * east, 0.016),
        "lid_fold": float(np.clip(around(0.75 if east else 0.2, 0.2), 0.0, 1.0)),
        "brow_height": around(0.40 - 0.08 * male, 0.042),
        "brow_thickness": around(0.062 + 0.035 * male + 0.01 * south, 0.021),
        "brow_arch": around(0.085 - 0.03 * male, 0.026),
        "brow_tilt": around(0.02, 0.034),
        "brow_gap": around(0.19, 0.028),
        "nose_length": around(0.70 + 0.04 * male, 0.065),
        "nose_width": around(0.255 + 0.02 * male + 0.045 * black + 0.015 * east, 0.028),
        "nose_bridge": float(np.clip(around(0.5 - 0.2 * east - 0.15 * black + 0.1 * south, 0.15), 0.0, 1.0)),
        "mouth_width": around(0.40 + 0.015 * male, 0.046),
        "mouth_position": around(0.345, 0.037),
        "upper_lip": around(0.085 - 0.012 * male + 0.03 * black, 0.021),
        "lower_lip": around(0.125 - 0.010 * male + 0.03 * black, 0.029),
        "mouth_tilt": around(0.0, 0.021),
        "asymmetry": tuple(float(v) for v in rng.normal(0.0, 0.010, 3)),
    }


def _colouring(rng: np.random.Generator, gender: str, ethnicity: str) -> dict[str, object]:
    mean, spread = _SKIN[ethnicity]
    melanin = float(np.clip(rng.normal(mean, spread), 0.02, 0.98))
    fair = ethnicity == "white" or (ethnicity == "others" and rng.random() < 0.3)
    return {
        "melanin": melanin,
        "redness": float(rng.uniform(0.0, 1.0)),
        "freckles": float(rng.uniform(0.3, 1.0)) if fair and rng.random() < 0.2 else 0.0,
        "oiliness": float(rng.uniform(0.0, 1.0)),
        "iris_melanin": float(rng.uniform(0.0, 0.9) if fair else rng.uniform(0.8, 1.0)),
        "hair_melanin": float(rng.uniform(0.1, 0.95) if fair else rng.uniform(0.82, 1.0)),
        "hair_redness": float(rng.uniform(0.0, 1.0) ** 3 if fair else 0.1),
        "makeup": float(rng.uniform(0.2, 1.0)) if gender == "female" and rng.random() < 0.55 else 0.0,
    }


def _hair(rng: np.random.Generator, gender: str) -> dict[str, object]:
    bearded = gender == "male" and rng.random() < 0.35
    return {
        "hair_style": int(rng.choice(len(HAIR_STYLES), p=_STYLES[gender])),
        "hair_volume": float(rng.uniform(0.0, 1.0)),
        "hair_parting": float(rng.uniform(-1.0, 1.0)),
        "moustache": float(rng.uniform(0.4, 1.0)) if bearded and rng.random() < 0.85 else 0.0,
        "beard": float(rng.uniform(0.3, 1.0)) if bearded and rng.random() < 0.75 else 0.0,
        "stubble": float(rng.uniform(0.0, 0.8)) if gender == "male" else 0.0,
        "wrinkling": float(rng.uniform(0.0, 1.0)),
        "greying_age": float(rng.uniform(38.0, 68.0)),
        "balding": float(rng.uniform(0.0, 1.0) ** 1.5) if gender == "male" else 0.1 * float(rng.random()),
        "texture_seed": int(rng.integers(2**31)),
    }
