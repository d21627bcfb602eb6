"""The live page in a real browser, at the width of a desk and of a telephone, with videos and a made camera."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from aiohttp.test_utils import TestServer

from paddlevideo.serve.app import make_app
from paddlevideo.serve.network import SharedNetwork
from paddlevideo.types import Arrays
from tests.browser.chromium import Tab, open_tab
from tests.tasks.streams import ClipReader, made_predictor, predicted_lines, read_lines, write_video

DRAWN = """(() => {  // left, top, right, bottom of what is drawn, as fractions of the canvas, or null
  const {width, height} = part.boxes;
  const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  copy.drawImage(part.boxes, 0, 0);
  const pixels = copy.getImageData(0, 0, width, height).data;
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let place = 0; place < width * height; place++) if (pixels[4 * place + 3]) {
    const x = place % width, y = Math.floor(place / width);
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
  }
  return right < 0 ? null : [left / width, top / height, right / width, bottom / height];
})()"""
NO_CAMERA = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError') }"


@asynccontextmanager
async def live_page(
    folder: Path, width: int = 1280, flags: tuple[str, ...] = (), network: ClipReader | None = None
) -> AsyncIterator[Tab]:
    server = TestServer(make_app(SharedNetwork(made_predictor(network), 0.05, 2), 1_000_000))
    async with server, open_tab(str(server.make_url("/")), folder, width, flags) as tab:
        await tab.until("document.body?.dataset.state === 'empty'")
        yield tab


def playable_video(path: Path) -> Path:
    """25 frames of 240x320 that every browser plays."""
    return write_video(path, 25, (240, 320), "VP80")


async def downloaded(tab: Tab, folder: Path, name: str) -> Path:
    await tab.evaluate("part.download.click()")
    path = folder / "downloads" / name
    for _ in range(100):
        if path.exists():
            return path
        await asyncio.sleep(0.1)
    pytest.fail(f"{path.name} was not downloaded")


async def state(tab: Tab) -> str:
    return await tab.evaluate("document.body.dataset.state")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_video_gets_boxes_and_the_lines_that_the_command_writes(tmp_path: Path, width: int) -> None:
    video = playable_video(tmp_path / "walk.webm")
    expected = predicted_lines(video, 0.3)

    async def scenario() -> None:
        async with live_page(tmp_path, width) as tab:
            assert await tab.evaluate(DRAWN) is None
            await tab.choose_file("#file", video)
            await tab.until("['done', 'error'].includes(document.body.dataset.state)")
            assert "Done. 25 frames answered" in await tab.evaluate("part.status.innerText")
            await tab.evaluate("part.video.pause(), part.video.currentTime = 0.401")  # frame 11
            await tab.until("shown?.frame === 11 && !part.video.seeking")
            left, top, right, bottom = await tab.evaluate(DRAWN)
            x1, y1, x2, y2 = np.array(expected[10]["detections"][0]["box"]) / [320, 240, 320, 240]
            assert (left, bottom) == pytest.approx((x1, y2), abs=0.01)
            assert right >= x2 - 0.01 and top < y1  # the name is above the box
            assert "Run #1" in await tab.evaluate("part.found.innerText")
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width
            await tab.photograph(tmp_path / f"video_{width}.png")
            assert read_lines(await downloaded(tab, tmp_path, "walk.jsonl")) == expected
            await tab.evaluate("part.threshold.value = 0.99, part.threshold.dispatchEvent(new Event('input'))")
            assert await tab.evaluate(DRAWN) is None
            assert tab.complaints == []

    asyncio.run(scenario())


def test_a_video_that_the_browser_cannot_play_gets_boxes_too(tmp_path: Path) -> None:
    video = write_video(tmp_path / "raw.mp4", 25)

    async def scenario() -> None:
        async with live_page(tmp_path) as tab:
            await tab.choose_file("#file", video)
            await tab.until("document.body.dataset.state === 'done'")
            text = await tab.evaluate("part.status.innerText")
            assert "cannot show the video itself" in text and "25 frames" in text
            assert await tab.evaluate(DRAWN) is not None
            assert tab.complaints == []

    asyncio.run(scenario())


LEFT_OF_ACTOR = [40 + 20 * number for number in range(12)]  # pixels of 640, of which the network sees 32 columns
BRIGHT = """(() => {  // left, top, right, bottom of what is bright in the picture, as fractions, and the mean of all
  const {width, height} = part.picture;
  const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  copy.drawImage(part.picture, 0, 0);
  const pixels = copy.getImageData(0, 0, width, height).data;
  let [left, top, right, bottom, sum] = [width, height, -1, -1, 0];
  for (let place = 0; place < width * height; place++) {
    const x = place % width, y = Math.floor(place / width);
    sum += pixels[4 * place] / width / height;
    if (pixels[4 * place] < 150) continue;
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }
  return [left / width, top / height, right / width, bottom / height, sum];
})()"""


class ActorFinder(ClipReader):
    """Answers so that the made predictor's box lies on the bright actor of every frame."""

    def __call__(self, inputs: Arrays) -> Arrays:
        super().__call__(inputs)
        bright = (inputs["clip"].mean(1) > 0.6).any(2)  # [B, T, W]
        return {"grey": 1000 * bright.argmax(2) / bright.shape[2]}


def video_of_actor(path: Path, codec: str) -> Path:
    """A bright actor who walks to the right through a grey room of 480x640."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (640, 480))
    for left in LEFT_OF_ACTOR:
        frame = np.full((480, 640, 3), 70, np.uint8)
        frame[120:360, left : left + 160] = 230
        writer.write(frame)
    writer.release()
    return path


async def compare_with_actor(tab: Tab, frame: int) -> None:
    """Check that a frame is shown with its actor where the video has him, and with the box on the actor."""
    left = LEFT_OF_ACTOR[frame - 1] / 640
    *actor, mean = await tab.evaluate(BRIGHT)
    assert actor == pytest.approx([left, 0.25, left + 0.25, 0.75], abs=0.02)
    assert mean > 60
    box = await tab.evaluate(DRAWN)
    assert (box[0], box[3]) == pytest.approx((left, 0.75), abs=0.02)
    assert box[2] >= left + 0.25 - 0.02 and box[1] < 0.25  # the name is above the box


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(("name", "codec"), [("walk.mp4", "mp4v"), ("walk.avi", "MJPG")])
def test_frames_of_a_video_that_the_browser_cannot_play_come_from_the_server(
    tmp_path: Path, name: str, codec: str, width: int
) -> None:
    gate = threading.Event()
    network = ActorFinder(before=lambda number: number == 7 and gate.wait(60))

    async def scenario() -> None:
        async with live_page(tmp_path, width, network=network) as tab:
            await tab.choose_file("#file", video_of_actor(tmp_path / name, codec))
            await tab.until("player.painted?.line.frame === 6")
            await compare_with_actor(tab, 6)
            assert await tab.evaluate("part.picture.width") <= min(width, 640)
            gate.set()
            await tab.until("document.body.dataset.state === 'done'")
            text = await tab.evaluate("part.status.innerText")
            assert "cannot show the video itself" in text and "12 frames answered" in text
            for frame in (12, 2):  # it plays again and again
                await tab.until(f"player.painted.line.frame === {frame}")
            await tab.evaluate("part.play.click()")
            assert await tab.evaluate("part.play.innerText") == "Play"
            await tab.evaluate("part.position.value = 0.3, part.position.dispatchEvent(new Event('input'))")
            await tab.until("player.painted.line.frame === 8")
            await compare_with_actor(tab, 8)
            assert await tab.evaluate("part.clock.innerText") == "0.3 s"
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width
            await tab.photograph(tmp_path / f"frames_{width}.png")
            lines = read_lines(await downloaded(tab, tmp_path, "walk.jsonl"))
            assert [line["frame"] for line in lines] == list(range(1, 13))
            assert all(line.keys() == {"frame", "time", "size", "detections"} for line in lines)
            assert tab.complaints == []

    asyncio.run(scenario())


def test_a_video_that_fails_while_it_plays_is_asked_for_again_with_its_frames(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_page(tmp_path) as tab:
            await tab.choose_file("#file", playable_video(tmp_path / "walk.webm"))
            await tab.until("document.body.dataset.state === 'done'")
            assert await tab.evaluate("part.player.hidden && player.painted === null")
            await tab.evaluate("part.video.dispatchEvent(new Event('error'))")
            await tab.until("player.painted?.line.frame === 20")
            assert "the server sends its frames" in await tab.evaluate("part.status.innerText")
            assert await tab.evaluate("part.video.src") == ""
            await tab.choose_file("#file", playable_video(tmp_path / "next.webm"))
            await tab.until("document.body.dataset.state === 'done' && name === 'next'")
            assert await tab.evaluate("part.player.hidden && player.painted === null && part.picture.width === 1")
            assert tab.complaints == []

    asyncio.run(scenario())


def test_pictures_that_are_kept_are_bounded_and_evenly_spaced(tmp_path: Path) -> None:
    keep_many = """(() => {
      const picture = btoa("x".repeat(1e6));
      for (let place = 0; place < 300; place++) keepPicture({ time: place, picture });
      const times = player.pictures.map(({ time }) => time);
      player = newPlayer();
      return times;
    })()"""

    async def scenario() -> None:
        async with live_page(tmp_path) as tab:
            assert await tab.evaluate(keep_many) == list(range(0, 300, 8))

    asyncio.run(scenario())


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    text, large = tmp_path / "notes.mp4", tmp_path / "large.mp4"
    text.write_text("no video")
    large.write_bytes(bytes(2_000_000))

    async def scenario() -> None:
        async with live_page(tmp_path) as tab:
            for path, expected in ((large, "large.mp4 has 2 MB, the server takes 1 MB"), (text, "not a video")):
                await tab.choose_file("#file", path)
                await tab.until(f"part.status.innerText.includes({expected!r})")
                assert await state(tab) == "error"
                assert not await tab.evaluate("part.file.disabled || part.camera.disabled")
            await tab.evaluate(NO_CAMERA)
            await tab.evaluate("part.camera.click()")
            await tab.until("part.status.innerText.includes('There is no camera')")
            await tab.photograph(tmp_path / "error.png")

    asyncio.run(scenario())


def test_a_video_can_be_stopped_and_followed_by_another(tmp_path: Path) -> None:
    gate = threading.Event()
    network = ClipReader(before=lambda number: number == 5 and gate.wait(60))

    async def scenario() -> None:
        async with live_page(tmp_path, network=network) as tab:
            await tab.choose_file("#file", playable_video(tmp_path / "one.webm"))
            await tab.until("answered.length === 4")
            assert await state(tab) == "busy"
            await tab.evaluate("part.stop.click()")
            assert await tab.evaluate("part.status.innerText") == "Stopped. 4 frames answered."
            gate.set()
            await tab.choose_file("#file", playable_video(tmp_path / "two.webm"))
            await tab.until("document.body.dataset.state === 'done'")
            assert await tab.evaluate("part.status.innerText") == "Done. 25 frames answered."
            assert tab.complaints == []

    asyncio.run(scenario())


@pytest.mark.parametrize("width", [390, 1280])
def test_a_camera_gets_boxes(tmp_path: Path, width: int) -> None:
    picture = tmp_path / "grey.mjpeg"
    picture.write_bytes(cv2.imencode(".jpg", np.full((480, 640, 3), 100, np.uint8))[1].tobytes())
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

    async def scenario() -> None:
        async with live_page(tmp_path, width, (*flags, f"--use-file-for-fake-video-capture={picture}")) as tab:
            await tab.evaluate("part.camera.click()")
            await tab.until("answered.length > 10")
            assert await tab.evaluate(DRAWN) is not None
            assert await tab.evaluate("part.status.innerText") == "The camera is on."
            assert "frames/s" in await tab.evaluate("part.rate.innerText")
            await tab.photograph(tmp_path / f"camera_{width}.png")
            await tab.evaluate("part.stop.click()")
            assert "Stopped." in await tab.evaluate("part.status.innerText")
            lines = read_lines(await downloaded(tab, tmp_path, "camera.jsonl"))
            assert [line["frame"] for line in lines] == list(range(1, len(lines) + 1))
            answers = [line for line in lines if "dropped" not in line]
            # grey 100: the score is 0.5 + 100 / 1000, the box begins at 0.1 of 640 pixels
            assert answers[-1]["detections"][0]["score"] == pytest.approx(0.6, abs=0.005)
            assert answers[-1]["detections"][0]["box"][0] == pytest.approx(64, abs=2)
            assert tab.complaints == []

    asyncio.run(scenario())
