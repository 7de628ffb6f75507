"""Judging the camera's messages: stamps, sizes, frames, encodings, and whether they fit each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rgbd_perception.doctor.finding import Finding, fail, ok, warn
from rgbd_perception.doctor.observation import CameraForm, GraphObservation, ImageForm, Stream
from rgbd_perception.encodings import COLOR_ENCODINGS, DEPTH_ENCODINGS

LARGEST_AGE_NS = 1_000_000_000
"""An older image was stamped by another clock, or has waited in queues."""
SLOP_NS = 20_000_000
"""Default of perception's parameter ``slop``."""


def stream_findings(seen: GraphObservation) -> Iterator[Finding]:
    """Only of topics on which something arrived."""
    arrived = [stream for stream in seen.streams if stream.arrivals]
    for stream in arrived:
        yield _check_stamps(stream)
    color, depth, camera = seen.color, seen.depth, seen.camera_info
    if isinstance(color.form, ImageForm):
        yield _check_encoding(color.topic, color.form, COLOR_ENCODINGS, "convert it, or install cv_bridge")
    if isinstance(depth.form, ImageForm):
        yield _check_encoding(depth.topic, depth.form, DEPTH_ENCODINGS, "16UC1 is millimetres, 32FC1 metres")
    if isinstance(color.form, ImageForm) and isinstance(depth.form, ImageForm):
        yield from _check_pair(color, color.form, depth, depth.form)
    if isinstance(camera.form, CameraForm):
        yield _check_camera(camera.topic, camera.form)
        if isinstance(color.form, ImageForm):
            yield _check_camera_of(color, color.form, camera, camera.form)


def _check_stamps(stream: Stream) -> Finding:
    check = f"stamps of {stream.topic}"
    stamps = [arrival.stamp_ns for arrival in stream.arrivals]
    if any(stamp == 0 for stamp in stamps):
        return fail(
            check, "messages have the stamp 0", "the driver must fill header.stamp: such frames are dropped"
        )
    backward = sum(later <= earlier for earlier, later in pairwise(stamps))
    if backward:
        return fail(
            check,
            f"{backward} of {len(stamps)} stamps do not increase",
            "a bag that loops, or two publishers on one topic: such frames are dropped",
        )
    oldest = max(arrival.received_ns - arrival.stamp_ns for arrival in stream.arrivals)
    newest = min(arrival.received_ns - arrival.stamp_ns for arrival in stream.arrivals)
    if oldest > LARGEST_AGE_NS or newest < -LARGEST_AGE_NS:
        return warn(
            check,
            f"{oldest * 1e-9:.1f} s behind this machine's clock",
            "synchronise the clocks (chrony, PTP); bags: ros2 bag play --clock, use_sim_time:=true",
        )
    return ok(check, f"increasing, at most {oldest * 1e-6:.0f} ms old")


def _check_encoding(topic: str, form: ImageForm, known: tuple[str, ...], advice: str) -> Finding:
    check = f"encoding of {topic}"
    if form.encoding in known:
        return ok(check, f"{form.encoding}, {form.height}x{form.width}")
    return fail(check, f"'{form.encoding}', expected one of {', '.join(known)}", advice)


def _check_pair(
    color: Stream, color_form: ImageForm, depth: Stream, depth_form: ImageForm
) -> Iterator[Finding]:
    """Depth must be registered to color and taken at the same time."""
    check = "color and depth"
    aligned = "use depth that is aligned to color (RealSense: align_depth.enable:=true)"
    if (color_form.height, color_form.width) != (depth_form.height, depth_form.width):
        yield fail(
            check,
            f"color is {color_form.height}x{color_form.width}, depth {depth_form.height}x{depth_form.width}",
            aligned,
        )
    elif color.arrivals[-1].frame_id != depth.arrivals[-1].frame_id:
        frames = f"frames {color.arrivals[-1].frame_id!r} and {depth.arrivals[-1].frame_id!r}"
        yield warn(check, f"are in different {frames}", aligned)
    else:
        yield ok(check, f"one size, one frame {color.arrivals[-1].frame_id!r}")
    yield _check_synchrony(color, depth)


def _check_synchrony(color: Stream, depth: Stream) -> Finding:
    """The median distance of a color image to its nearest depth image in time."""
    check = "synchrony"
    depth_stamps = [arrival.stamp_ns for arrival in depth.arrivals]
    # The first and last color image may have lost their partner to the start and end of listening.
    inner = color.arrivals[1:-1] or color.arrivals
    gaps = sorted(min(abs(image.stamp_ns - stamp) for stamp in depth_stamps) for image in inner)
    median = gaps[len(gaps) // 2]
    if median > SLOP_NS:
        return fail(
            check,
            f"color and depth are {median * 1e-6:.0f} ms apart, perception allows {SLOP_NS * 1e-6:.0f} ms",
            f"synchronise the camera's streams, or set slop: {median * 1.5e-9:.3f}",
        )
    return ok(check, f"color and depth are {median * 1e-6:.1f} ms apart")


def _check_camera(topic: str, form: CameraForm) -> Finding:
    check = f"camera of {topic}"
    if form.fx <= 0 or form.fy <= 0:
        return fail(check, "K is zero: the camera is not calibrated", "give the driver a calibration file")
    if form.distorted:
        return warn(
            check,
            "declares distortion: perception rectifies the images on the CPU",
            "if they are rectified already: distortion:=ignore; else cheaper: image_proc in front of it",
        )
    return ok(check, f"fx {form.fx:.1f}, fy {form.fy:.1f}, no distortion")


def _check_camera_of(color: Stream, image: ImageForm, info: Stream, camera: CameraForm) -> Finding:
    check = "color and camera info"
    if (image.height, image.width) != (camera.height, camera.width):
        return fail(
            check,
            f"color is {image.height}x{image.width}, camera info is for {camera.height}x{camera.width}",
            "remap color/camera_info to the one beside the color topic",
        )
    frames = (color.arrivals[-1].frame_id, info.arrivals[-1].frame_id)
    if frames[0] != frames[1]:
        return warn(check, f"are in the frames {frames[0]!r} and {frames[1]!r}", "remap color/camera_info")
    return ok(check, "fit each other")
