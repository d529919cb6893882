"""Video objects as carts send them; PyAV both writes and reads them, so only the path is ours."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sonogate.errors import UndecodableError
from sonogate.read.frames import read_frames
from tests.conftest import need_extra
from tests.service.read.conftest import MakeObject, Open, phantom

pytestmark = pytest.mark.train  # what `make test-train` installs: the extra [video]

JPEG_FAMILY = "1.2.840.10008.1.2.4."
N_FRAMES = 12
KINDS = {
    "MPEG-2": (f"{JPEG_FAMILY}100", "mpeg2video", "mpegts"),
    "H.264": (f"{JPEG_FAMILY}102", "libx264", "h264"),
    "H.264 in fragments": (f"{JPEG_FAMILY}102.1", "libx264", "h264"),
    "HEVC": (f"{JPEG_FAMILY}107", "libx265", "hevc"),
}


def frames_of_a_loop() -> list[NDArray[np.uint8]]:
    """A phantom that darkens frame by frame, so that each frame is known by its grey."""
    still = phantom()
    return [(still * (1 - 0.05 * number)).astype(np.uint8) for number in range(N_FRAMES)]


def encoded(frames: list[NDArray[np.uint8]], codec: str, container: str) -> bytes:
    """Encode grey frames."""
    av: Any = need_extra("av", "video")
    out = BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt, stream.bit_rate = "yuv420p", 20_000_000
        for frame in frames:
            rgb = np.repeat(frame[..., None], 3, axis=2)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def video_object(make_object: MakeObject, kind: str, **attributes: object) -> Any:
    """Write a video object; in fragments, it is cut anyhow."""
    syntax, codec, container = KINDS[kind]
    frames = frames_of_a_loop()
    stream = encoded(frames, codec, container)
    step = 1000 if "fragments" in kind else len(stream) + 1
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
    colour = np.repeat(frames[0][..., None], 3, axis=2)
    described = {"NumberOfFrames": N_FRAMES, "FrameTime": 40} | attributes
    return make_object(colour, "YBR_PARTIAL_420", syntax=syntax, encoded=pieces, **described)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_is_read_frame_by_frame(
    kind: str, make_object: MakeObject, open_dicom: Open
) -> None:
    """The frames asked for are the ones read, each with its own grey."""
    stack = read_frames(open_dicom(video_object(make_object, kind)), 8)
    sent = frames_of_a_loop()

    assert stack.n_total == N_FRAMES
    assert len(stack.frame_numbers) == 8
    for number, frame in zip(stack.frame_numbers, stack.frames, strict=True):
        assert frame[frame > 8].mean() == pytest.approx(
            sent[number - 1][sent[number - 1] > 8].mean(), rel=0.06
        )


def test_a_video_shorter_than_it_claims_is_undecodable(
    make_object: MakeObject, open_dicom: Open
) -> None:
    """No frame is invented."""
    path = video_object(make_object, "H.264", NumberOfFrames=N_FRAMES + 30)
    with pytest.raises(UndecodableError, match="fewer frames"):
        read_frames(open_dicom(path), 8)


def test_a_video_of_another_size_is_undecodable(make_object: MakeObject, open_dicom: Open) -> None:
    """Rows and Columns that lie are found out."""
    path = video_object(make_object, "MPEG-2", Rows=480)
    with pytest.raises(UndecodableError, match="differ from the size"):
        read_frames(open_dicom(path), 8)


def test_a_broken_video_is_undecodable(make_object: MakeObject, open_dicom: Open) -> None:
    """Noise in place of a stream is refused in words."""
    need_extra("av", "video")
    noise = np.random.default_rng(1).bytes(5000)
    path = make_object(phantom(), syntax=f"{JPEG_FAMILY}102", encoded=[noise], NumberOfFrames=3)
    with pytest.raises(UndecodableError):
        read_frames(open_dicom(path), 8)
