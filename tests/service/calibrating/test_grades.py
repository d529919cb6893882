"""Grades that can't be fitted to are refused, with what to do."""

from pathlib import Path

import pytest

from sonogate.calibrating.grades import NAMES, read_grades, warnings_of
from sonogate.errors import CalibrationError

HEAD = "image,grade,patient"


def lines(n_each: int = 10, n_patients: int = 5) -> list[str]:
    """Rows of all three grades."""
    return [f"{grade}{i}.png,{grade},p{i % n_patients}" for grade in NAMES for i in range(n_each)]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with an image for each row that `lines` may have."""
    folder = tmp_path / "images"
    folder.mkdir()
    for grade in NAMES:
        for i in range(10):
            (folder / f"{grade}{i}.png").touch()
    return folder


def written(folder: Path, *rows: str) -> Path:
    """A CSV beside the images."""
    path = folder / "grades.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_grades_are_read_in_the_words_of_the_department(images: Path) -> None:
    """Good and poor, 0 to 2, capitals, semicolons as a German spreadsheet writes them, a BOM."""
    rows = [each.replace(",high,", ",Good,").replace(",low,", ",0,") for each in lines()]
    path = written(images, *(row.replace(",", ";") for row in [f"\ufeff{HEAD.upper()}", *rows]))

    found = read_grades(path, images)

    assert [0] * 10 + [1] * 10 + [2] * 10 == [row.grade for row in found.rows]
    assert (images / "low0.png", "p0", 2) == (
        found.rows[0].path,
        found.rows[0].patient,
        found.rows[0].line,
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["image,patient", *lines()], "no column 'grade'"),
        (["image,grade", *lines()], "no column 'patient'.*--own-patients"),
        ([HEAD, *lines(), "low0.png,fine,p1"], "line 32: 'fine' is no grade"),
        ([HEAD, *lines(), "low0.png,low,p1"], "line 32: low0.png was graded in line 2 too"),
        ([HEAD, *lines(), "other.png,low,"], "line 32: image and patient"),
        ([HEAD, *lines(), "gone.png,low,p1"], r"1 of 31 images are not in .*gone.png \(line 32\)"),
        ([HEAD, *lines()[:20]], "hold low and medium only"),
        ([HEAD, *lines(9)], "9 images of 5 patients are low: too few"),
        ([HEAD, *lines(10, 4)], "10 images of 4 patients are low: too few"),
        ([""], "no column 'image'"),
    ],
)
def test_grades_that_make_no_sense_are_refused(images: Path, rows: list[str], said: str) -> None:
    """By line or by name, and with the remedy."""
    with pytest.raises(CalibrationError, match=said):
        read_grades(written(images, *rows), images)


def test_images_of_own_patients_need_no_column(images: Path) -> None:
    """Each then counts as a patient."""
    rows = ["image,grade", *(row.rpartition(",")[0] for row in lines())]

    found = read_grades(written(images, *rows), images, own_patients=True)

    assert 30 == len({row.patient for row in found.rows})


def test_few_grades_are_warned_of() -> None:
    """From thirty of each and forty patients on nothing is said."""
    few = warnings_of([0] * 10 + [1] * 40 + [2] * 40, [f"p{i % 20}" for i in range(90)])

    assert ["only 10 images are low", "only 20 patients"] == [one.partition(":")[0] for one in few]
    assert [] == warnings_of([0, 1, 2] * 40, [f"p{i}" for i in range(120)])
