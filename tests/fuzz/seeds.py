"""Inputs of our own making from which fuzzing starts: phantoms through every encoder we have."""

import struct
import zlib
from collections.abc import Mapping
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sonogate.testing import make_instance, speckle
from tests.fuzz.objects import BIG, EXPLICIT, IMPLICIT, Shape, encapsulated, native
from tests.integration.bad_objects import content_of
from tests.service.read.conftest import part_10

Grey = NDArray[np.uint8]
Seeds = Mapping[str, bytes]
RGB_INDEX, YBR_INDEX, RCT_INDEX = 1, 2, 4
DEEP_INDEX = 1
PASSED_ON = 8


def grey(height: int = 24, width: int = 32) -> Grey:
    """Draw a small phantom."""
    return speckle(height, width, seed=1)


def colour() -> Grey:
    """Draw a small phantom with a red patch."""
    rgb = np.repeat(grey()[..., None], 3, axis=2)
    rgb[8:14, 8:20] = (220, 40, 20)
    return rgb


def deep() -> NDArray[np.uint16]:
    """Draw a small phantom of 16 bits."""
    return grey().astype(np.uint16) * 257


def chosen(*, photometric: int = 0, bits: int = 0, flags: int = 0, syntax: int = 0) -> bytes:
    """Write the four bytes before a frame."""
    return bytes((syntax, photometric, bits, flags))


def objects() -> Seeds:
    """Whole files: each uncompressed syntax, one compressed, and a bare data set."""
    ds = make_instance(height=24, width=32, study_uid="1.2.3", series_uid="1.2.3.4")
    ds.SOPInstanceUID = "1.2.3.4.5"
    ds.StudyDate = ds.AcquisitionDate = "20260101"
    ds.StudyTime = ds.AcquisitionTime = "101010"
    return {
        "explicit": part_10(ds, EXPLICIT),
        "implicit": part_10(ds, IMPLICIT),
        "big": part_10(ds, BIG),
        "bare": content_of(ds),
        "jpeg": encapsulated("1.2.840.10008.1.2.4.50", Shape(24, 32), [jpeg_of(grey())]),
        "cine": native(EXPLICIT, Shape(24, 32, n_frames=3), grey().tobytes() * 3),
        "scored": encapsulated(
            "1.2.840.10008.1.2.4.50", Shape(240, 320), [jpeg_of(grey(240, 320), quality=10)]
        ),
    }


def deflated() -> Seeds:
    """A data set that the harness deflates, and one deflated already."""
    plain = content_of(make_instance(height=8, width=8, study_uid="1.2", series_uid="1.3"))
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflater.compress(plain) + deflater.flush()
    return {"plain": b"\0" + plain, "packed": b"\1" + packed}


def natives() -> Seeds:
    """Grey, colour by pixel and by plane, 16 bits, two frames."""
    pixels = grey(16, 20).tobytes() * 6
    return {
        "grey": bytes((16, 20, 0, 0, 0, 0, 0, 5)) + pixels,
        "colour": bytes((16, 20, 1, 0, 0, 0, 0, 15)) + pixels,
        "planes": bytes((16, 20, 2, 0, 0, 1, 0, 15)) + pixels,
        "halved": bytes((16, 20, 3, 0, 0, 0, 0, 10)) + pixels,
        "deep": bytes((16, 20, 0, 1, 0, 2, 0, 10)) + pixels,
        "cine": bytes((16, 20, 0, 0, 0, 0, 1, 10)) + pixels,
    }


def palettes() -> Seeds:
    """Plain tables of 8 and 16 bits, and segmented ones."""
    by_eight = struct.pack("<HHH", 256, 0, 8) * 3
    by_sixteen = struct.pack("<HHH", 64, 0, 16) * 3
    segments = struct.pack("<HHH", 0, 1, 0) + struct.pack("<HHH", 1, 63, 65535)
    return {
        "eight": bytes((0, 1)) + by_eight + bytes(range(256)) * 3,
        "sixteen": bytes((2, 0)) + by_sixteen + bytes(range(128)),
        "segmented": bytes((1, 0)) + by_sixteen + segments,
    }


def jpeg_of(samples: Grey, **options: Any) -> bytes:
    """Encode JPEG with Pillow."""
    out = BytesIO()
    Image.fromarray(samples).save(out, "JPEG", **options)
    return out.getvalue()


def jpeg() -> Seeds:
    """Baseline grey and colour, progressive, RGB without a transform, twelve bits."""
    twelve = bytes(imagecodecs.jpeg8_encode(deep() >> 4, level=90, bitspersample=12))
    plain = bytes(
        imagecodecs.jpeg8_encode(colour(), level=90, colorspace="RGB", outcolorspace="RGB")
    )
    return {
        "grey": chosen() + jpeg_of(grey()),
        "colour": chosen(photometric=YBR_INDEX) + jpeg_of(colour()),
        "progressive": chosen() + jpeg_of(grey(), progressive=True),
        "rgb": chosen(photometric=RGB_INDEX) + plain,
        "twelve": chosen(syntax=1, bits=2) + twelve,
    }


def jpeg_lossless() -> Seeds:
    """Grey of 8 and 16 bits; passed on too."""
    return {
        "grey": chosen() + bytes(imagecodecs.ljpeg_encode(grey())),
        "deep": chosen(syntax=1, bits=DEEP_INDEX) + bytes(imagecodecs.ljpeg_encode(deep())),
        "passed_on": chosen(flags=PASSED_ON) + bytes(imagecodecs.ljpeg_encode(grey())),
    }


def jpeg_ls() -> Seeds:
    """Grey, colour, near-lossless."""
    room = bytearray(1 << 16)
    near = bytes(imagecodecs.jpegls_encode(grey(), level=3, out=room))
    return {
        "grey": chosen() + bytes(imagecodecs.jpegls_encode(grey(), out=room)),
        "colour": chosen(photometric=1) + bytes(imagecodecs.jpegls_encode(colour(), out=room)),
        "near": chosen(syntax=1) + near,
        "deep": chosen(bits=DEEP_INDEX) + bytes(imagecodecs.jpegls_encode(deep(), out=room)),
    }


def jpeg_2000() -> Seeds:
    """Grey, colour, 16 bits, lossy, in a JP2 file and bare."""

    def encoded(samples: NDArray[np.generic], **options: Any) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(samples, **options))

    return {
        "grey": chosen() + encoded(grey(), reversible=True, codecformat="j2k"),
        "colour": chosen(photometric=RCT_INDEX)
        + encoded(colour(), reversible=True, codecformat="j2k", mct=True),
        "file": chosen() + encoded(grey(), reversible=True, codecformat="jp2"),
        "deep": chosen(bits=DEEP_INDEX) + encoded(deep(), reversible=True, codecformat="j2k"),
        "lossy": chosen(syntax=1) + encoded(grey(), level=30, codecformat="j2k"),
        "passed_on": chosen(flags=PASSED_ON) + encoded(grey(), reversible=True, codecformat="j2k"),
    }


def htj2k() -> Seeds:
    """Grey, colour, 16 bits."""
    return {
        "grey": chosen() + bytes(imagecodecs.htj2k_encode(grey(), reversible=True)),
        "colour": chosen(syntax=1, photometric=RCT_INDEX)
        + bytes(imagecodecs.htj2k_encode(colour(), reversible=True)),
        "deep": chosen(bits=DEEP_INDEX) + bytes(imagecodecs.htj2k_encode(deep(), reversible=True)),
    }


def jpeg_xl() -> Seeds:
    """Lossless, lossy, a recompressed JPEG, 16 bits, in a container."""
    baseline = jpeg_of(grey())
    return {
        "grey": chosen() + bytes(imagecodecs.jpegxl_encode(grey(), lossless=True)),
        "colour": chosen(photometric=1) + bytes(imagecodecs.jpegxl_encode(colour(), lossless=True)),
        "deep": chosen(bits=DEEP_INDEX) + bytes(imagecodecs.jpegxl_encode(deep(), lossless=True)),
        "lossy": chosen(syntax=2) + bytes(imagecodecs.jpegxl_encode(grey(), level=60)),
        "container": chosen()
        + bytes(imagecodecs.jpegxl_encode(grey(), lossless=True, usecontainer=True)),
        "recompressed": chosen(syntax=1) + bytes(imagecodecs.jpegxl_encode_jpeg(baseline)),
    }


def rle() -> Seeds:
    """Grey, colour and 16 bits, of the size the harness declares."""
    large = speckle(48, 64, seed=2)
    planes = [large, large, large]
    return {
        "grey": chosen() + rle_of([large]),
        "colour": chosen(photometric=1) + rle_of(planes),
        "deep": chosen(bits=DEEP_INDEX) + rle_of([large, large]),
        "passed_on": chosen(flags=PASSED_ON) + rle_of([large]),
    }


def rle_of(planes: list[Grey]) -> bytes:
    """Encode planes as PackBits segments (PS3.5 annex G)."""
    segments = [
        b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in p) for p in planes
    ]
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    head = struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets)))
    return head + b"".join(segments)


def video() -> Seeds:
    """Four frames in each kind of stream a cart may send; none where the codecs are missing."""
    if find_spec("av") is None:
        return {}
    kinds = {"mpeg2video": ("mpeg2video", 0), "h264": ("h264", 2), "hevc": ("hevc", 4)}
    return {
        name: chosen(syntax=syntax, photometric=YBR_INDEX) + video_of(codec)
        for name, (codec, syntax) in kinds.items()
    }


def video_of(codec: str) -> bytes:
    """Encode four frames as an elementary stream."""
    import av

    out = BytesIO()
    with av.open(out, "w", format=codec) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed in range(4):
            rgb = np.repeat(speckle(48, 64, seed=seed)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def pictures() -> Seeds:
    """PNG, JPEG and WebP."""
    image = Image.fromarray(colour())
    found = {}
    for number, kind in enumerate(("PNG", "JPEG", "WEBP")):
        out = BytesIO()
        image.save(out, kind)
        found[kind.lower()] = bytes((number,)) + out.getvalue()
    return found
