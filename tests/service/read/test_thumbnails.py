"""No name can be told in a thumbnail, by someone who knows its place, its font and its size."""

import random
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from sonogate.domain.frames import FrameStack, Region
from sonogate.domain.instance import Header
from sonogate.read.thumbnails import thumbnail_png
from sonogate.testing import speckle
from tests.service.read.conftest import phantom

Grey = NDArray[np.uint8]
Values = NDArray[np.float32]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

SHAPE = (600, 800)
#: One in so many names is the right one; all are of one length.
N_NAMES, N_LETTERS = 50, 12
SYLLABLES = "MA RO KEL SON BER TIN LA VO HIL GRE STA NOR WIL JA ME DU PI TZ OK SEN FI ANN LI WU"
#: Capitals 10 to 20 pixels high.
SIZES, GREYS = (14, 20, 28), (0, 90, 130, 160, 205, 255)
FACES = ["DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif"]
#: How far a guess is blurred (in thumbnail pixels) before it is held over the thumbnail.
BLURS = (0, 3, 6)
N_TRIALS = 16

GROUNDS: dict[str, Callable[[], Grey]] = {
    "tissue": lambda: phantom(*SHAPE),
    "dim": lambda: (speckle(*SHAPE, 1) * 0.45).astype(np.uint8),
    "bright": lambda: speckle(*SHAPE, 1),
    "even": lambda: np.full(SHAPE, 60, dtype=np.uint8),
    "dark": lambda: np.full(SHAPE, 3, dtype=np.uint8),
}


def font_of(rng: random.Random) -> Font:
    """Pick a font and a size: Pillow's own, or DejaVu where it is installed."""
    size = rng.choice(SIZES)
    try:
        return ImageFont.truetype(f"{rng.choice(FACES)}.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def name_of(rng: random.Random) -> str:
    """Make up a name of N_LETTERS."""
    parts = rng.choices(SYLLABLES.split(), k=12)
    cut = rng.randint(2, 4)
    return f"{''.join(parts[:cut])}, {''.join(parts[cut:])}"[:N_LETTERS]


def ink_of(name: str, font: Font, shape: tuple[int, int], at: tuple[int, int]) -> Image.Image:
    """Draw a name's letters, white on black."""
    image = Image.new("L", shape[::-1])
    ImageDraw.Draw(image).text(at, name, fill=255, font=font)
    return image


def thumbnail(picture: Grey, screen_side: int = 800) -> Grey:
    """Make the thumbnail of a picture on which no detector found anything."""
    scan = np.zeros(picture.shape, dtype=np.bool_)
    scan[10:-10] = True
    height, width = picture.shape
    stack = FrameStack(
        frames=picture[None],
        scan_mask=scan,
        overlay_mask=np.zeros_like(scan),
        ink_mask=np.zeros_like(np.zeros_like(scan)),
        hidden_mask=np.zeros_like(np.zeros_like(scan)),
        frame_numbers=(1,),
        n_total=1,
        region=Region(x=0, y=0, width=width, height=height),
        screen_side=screen_side,
        has_calipers=False,
        header=Header(),
    )
    with Image.open(BytesIO(thumbnail_png(stack, 0))) as image:
        return np.asarray(image)


def reduced(picture: Grey) -> Grey:
    """Make a plain thumbnail, as anyone would."""
    return np.asarray(Image.fromarray(picture).resize((320, 240), Image.Resampling.BOX))


def likenesses(seen: Grey, inks: Values, blur: int, *, sharpen: bool) -> Values:
    """Return the normalised cross-correlation of each name's letters with what is seen."""
    held = ndimage.gaussian_filter(inks, (0, blur, blur)) if blur else inks
    view = seen.astype(np.float32)
    if sharpen:
        held = held - ndimage.gaussian_filter(held, (0, 6, 6))
        view = view - ndimage.gaussian_filter(view, 6)
    held = held - held.mean(axis=(1, 2), keepdims=True)
    view = view - view.mean()
    energies = np.sqrt((held**2).sum(axis=(1, 2)) * (view**2).sum() + 1e-6)
    return np.asarray((held * view).sum(axis=(1, 2)) / energies, dtype=np.float32)


def told(make: Callable[[Grey], Grey], ground: Grey, rng: random.Random) -> list[bool]:
    """Write one of the names, and let each attacker guess which: with and without sharpening."""
    names, font = [name_of(rng) for _ in range(N_NAMES)], font_of(rng)
    at, right = (200, 5 * rng.randint(30, 80)), rng.randrange(N_NAMES)
    ink = np.asarray(ink_of(names[right], font, SHAPE, at)) / 255
    seen = make(np.rint(ground * (1 - ink) + rng.choice(GREYS) * ink).astype(np.uint8))
    top, left, around = at[1] * 2 // 5 - 16, at[0] * 2 // 5 - 16, (40, 40)
    strips = [ink_of(name, font, (115, 560), around) for name in names]
    inks = np.stack([np.asarray(one.resize((224, 46), Image.Resampling.BOX)) for one in strips])
    inks, view = inks.astype(np.float32), seen[top : top + 46, left : left + 224]
    return [
        int(np.abs(likenesses(view, inks, blur, sharpen=sharpen)).argmax()) == right
        for blur in BLURS
        for sharpen in (False, True)
    ]


def share_told(make: Callable[[Grey], Grey], ground: str, n_trials: int) -> float:
    """Return how often the best attacker is right."""
    rng, echoes = random.Random(ground), GROUNDS[ground]()
    return float(np.mean([told(make, echoes, rng) for _ in range(n_trials)], axis=0).max())


@pytest.mark.slow
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_name_that_nothing_masked_is_not_told(ground: str) -> None:
    """The best of six attackers is right in few of 16 names; the same reads plain thumbnails."""
    assert share_told(thumbnail, ground, N_TRIALS) <= 0.25
    assert share_told(reduced, ground, 5) >= 0.8


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("size", [10, 14, 20, 28])
def test_letters_leave_no_trace_on_even_ground(size: int, grey: int) -> None:
    """Where echoes are even, the thumbnail is the same with and without a line of text."""
    ground = np.full(SHAPE, 60, dtype=np.uint8)
    ink = np.asarray(ink_of("DOE^JOHN 12345678", ImageFont.load_default(size), SHAPE, (200, 300)))
    picture = np.where(ink > 127, grey, ground).astype(np.uint8)

    np.testing.assert_array_equal(thumbnail(ground), thumbnail(picture))


def test_what_is_as_large_as_a_vessel_is_seen() -> None:
    """A dark vessel 60 pixels wide stays dark, and the tissue beside it light."""
    picture = np.full(SHAPE, 150, dtype=np.uint8)
    rows, columns = np.indices(SHAPE)
    picture[np.hypot(rows - 300, columns - 400) < 30] = 10
    seen = thumbnail(picture)

    assert seen[120, 160] < 20
    assert seen[120, 190] > 140


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.2])
def test_a_layer_thinner_than_letters_is_seen(lean: float) -> None:
    """Fascia and diaphragm, 4 pixels thick, stand out of their ground; their ends may be lost."""
    rows, columns = np.indices(SHAPE)
    ground = np.full(SHAPE, 60, dtype=np.uint8)
    layer = np.abs(rows - 300 - lean * (columns - 400)) <= 2
    seen = thumbnail(np.where(layer, 200, ground).astype(np.uint8))

    for column in (120, 160, 200):
        row = 120 + round(lean * (column - 160))
        assert seen[row - 2 : row + 3, column - 8 : column + 8].max() > 110
    assert seen[60, 160] < 85


@pytest.mark.parametrize("size", [14, 20, 28])
@pytest.mark.parametrize("word", ["FELZ, BETTEE", "TEETZ, EFFIE", "BBBBEEEEDDDD"])
def test_letters_of_level_strokes_are_no_layer(word: str, size: int) -> None:
    """Bold capitals leave gaps enough; of the font without DejaVu a speck may be left."""
    try:
        font: Font = ImageFont.truetype("DejaVuSans-Bold.ttf", size)
        most = 0.0
    except OSError:
        font, most = ImageFont.load_default(size), 0.001
    ground = np.full(SHAPE, 60, dtype=np.uint8)
    ink = np.asarray(ink_of(word, font, SHAPE, (200, 300)))
    picture = np.where(ink > 127, 255, ground).astype(np.uint8)

    assert np.mean(thumbnail(ground) != thumbnail(picture)) <= most


def test_a_dim_image_is_brightened() -> None:
    """With too little gain an image is still known again."""
    light = phantom(*SHAPE)
    dim = thumbnail((light * 0.2).astype(np.uint8))

    assert 70 < np.percentile(dim, 98) < 90
    assert np.corrcoef(dim.ravel(), thumbnail(light).ravel())[0, 1] > 0.9


def test_a_small_part_of_a_large_screen_is_blurred_by_the_screens_letters() -> None:
    """The header may cut a small image out of a screen with large letters."""
    ground = np.full((300, 400), 60, dtype=np.uint8)
    ink = np.asarray(ink_of("DOE JOHN", ImageFont.load_default(44), (300, 400), (60, 130)))
    picture = np.where(ink > 127, 255, ground).astype(np.uint8)

    np.testing.assert_array_equal(thumbnail(ground, 1600), thumbnail(picture, 1600))
