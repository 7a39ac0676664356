"""The base of the camera nodes: lifecycle, the model and its reload, the worker, diagnostics."""

from __future__ import annotations

import ctypes
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.nodes.camera.camera_stream import CameraStream, FrameInWork
from monodepth_ros.nodes.camera.latest_frames_worker import LatestFramesWorker
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.diagnostics import overall_status
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status
from monodepth_ros.stamps import TimedMessage
from monodepth_ros.zoo.card import NetworkPart
from monodepth_ros.zoo.size import parse_size
from monodepth_ros.zoo.weight_files import UNCERTAINTY_FILE

_STOP_TIMEOUT = 1.5  # seconds in which the current frames have to be finished


@dataclass(frozen=True)
class LoadedModel:
    """Everything that belongs to one model; a node adds what it makes of the engine."""

    engine: Engine


@dataclass(frozen=True)
class ActiveModel:
    """A model and its scales. A frame keeps both until it is finished, also after a reload."""

    loaded: Any  # the result of `load`, of the node's own type
    scales: Mapping[CameraStream, ScaleSource]  # of each camera


class CameraNode(ReportingNode):
    """Passes the newest images to a worker thread, so that the executor never waits for a network.

    A camera node implements `load` (the model), `open` (its topics), `has_work` (whether an image
    must be processed), `process` (frames), and if needed `camera_names`, `max_batch`, `close`,
    `facts` and `warnings`.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
        self.active_model: ActiveModel | None = None  # while the node is configured
        self.streams: tuple[CameraStream, ...] = ()
        self._worker: LatestFramesWorker[CameraStream, TimedMessage[Any]] | None = None
        self._batches = self._batched = 0  # runs of the worker, and frames in them
        self._load_request = object()  # the newest one: older ones are abandoned
        super().__init__(name, (*CAMERA_PARAMETERS, *parameters), **options)
        self.streams = tuple(CameraStream(self, camera) for camera in self.camera_names())
        self.offer_service("reload", self._load_requested_model, self._switch_model)

    # What a camera node implements and uses.

    @abstractmethod
    def load(self) -> LoadedModel:
        """Load the model. UserError with the reason where that is impossible."""

    @abstractmethod
    def open(self) -> None:
        """Create the outputs, and inputs other than the camera. UserError if impossible."""

    def load_engine(self, *networks: NetworkPart) -> Engine:
        """The model and the engine that the parameters name, for `load`.

        It must compute what torch computes in fp32, by a check of the ``networks`` that are used.
        """
        model, engine, device, precision, threads = map(
            self.value, ("model", "engine", "device", "precision", "threads")
        )
        active = self.active_model
        loaded = load_engine(
            model,
            engine,
            device,
            precision,
            size=self._network_size(),
            threads=threads,
            checked=networks,
            former=None if active is None else active.loaded.engine,
        )
        _return_free_memory()
        return loaded

    def _network_size(self) -> tuple[int, int] | None:
        """What the parameter asks for; UserError for what is no size."""
        text = self.value("size")
        try:
            return parse_size(text) if text else None
        except ValueError as error:
            raise UserError(f"parameter size: {error}") from None

    def close(self) -> None:  # noqa: B027 - most nodes have nothing to undo
        """Undo `open`, but for the outputs; must also work when `open` was not called."""

    def camera_names(self) -> Sequence[str]:
        """Names of the cameras; an only one needs none. UserError if they are not names."""
        return [""]

    @property
    def max_batch(self) -> int:
        """Most frames in one call of `process`; 0: one of each camera."""
        return 0

    @abstractmethod
    def has_work(self, stream: CameraStream) -> bool:
        """Whether the next image of a camera has to be processed."""

    @abstractmethod
    def process(self, loaded: Any, frames: Sequence[FrameInWork]) -> None:
        """Publish the results of some cameras' newest frames, and finish each frame.

        Called on the worker's thread. An exception fails all frames that are not finished.
        """

    def facts(self) -> dict[str, str]:
        """Values in diagnostics besides rates, latencies, the model and the scale."""
        return {}

    def warnings(self) -> list[str]:
        """Warnings in diagnostics while images are processed."""
        return []

    # Lifecycle.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the outputs; fails with the reason."""
        self._load_request = object()
        if self.value("threads"):
            cv2.setNumThreads(self.value("threads"))
        loaded = self.load()
        for stream in self.streams:
            stream.configure()
        self._activate(ActiveModel(loaded, self._scales_of(loaded, first=True)))
        self.open()
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and start the worker."""
        if self._worker is not None and not self._worker.stop(0.0):
            raise UserError("the last frame before deactivation is not finished")
        self._worker = LatestFramesWorker(self._work_on, self.report_failure, self.max_batch)
        for stream in self.streams:
            stream.subscribe(self._on_image)
        return super().on_activate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the outputs."""
        self.stop()
        self._load_request = object()
        try:
            self.close()
        finally:
            for stream in self.streams:
                stream.release()
            if self.active_model is not None:
                _close(self.active_model.scales)
            self.active_model = None
        return SUCCESS

    def stop(self) -> None:
        """Unsubscribe and let the current frames finish."""
        for stream in self.streams:
            stream.unsubscribe()
        if self._worker is not None:
            if self._worker.stop(_STOP_TIMEOUT):
                self._worker = None
            else:
                self.get_logger().warning("the current frame is not finished")

    def _activate(self, new: ActiveModel) -> None:
        """Use ``new`` from the next frame on."""
        former, self.active_model = self.active_model, new
        if former is not None and former.scales is not new.scales:
            _close(former.scales)
        engine = new.loaded.engine
        card = engine.card
        library = engine.chosen or f"{engine.describe()['engine']} {engine.precision}"
        self.get_logger().info(
            f"model {card.name} ({card.architecture}, {card.scale}) on {engine.device}: {library}"
        )

    def _scales_of(self, loaded: LoadedModel, first: bool) -> dict[CameraStream, ScaleSource]:
        """A scale source for each camera; ``first``: `scale_factor` belongs to the model."""
        scales: dict[CameraStream, ScaleSource] = {}
        model = identity(loaded.engine)
        try:
            for stream in self.streams:
                scales[stream] = ScaleSource(
                    self, model, first, stream.name, loaded.engine.card.unknown_shift
                )
        except UserError:
            _close(scales)
            raise
        return scales

    # Reload.

    def _load_requested_model(self) -> tuple[object, LoadedModel]:
        """Load the model of the parameter `model`; the former one is used until it is loaded."""
        if self.active_model is None:
            raise UserError("the node is not configured; configure it to load the model")
        request = self._load_request = object()
        former, loaded = identity(self.active_model.loaded.engine), self.load()
        if self.value("scale_source") == "fixed" and identity(loaded.engine) != former:
            raise UserError(
                f"scale_factor belongs to the model {former}, not to {identity(loaded.engine)}:"
                " set both and configure the node again"
            )
        return request, loaded

    def _switch_model(self, result: tuple[object, LoadedModel]) -> str:
        request, loaded = result
        if request is not self._load_request or self.active_model is None:
            raise UserError("the node was configured, cleaned up or reloaded meanwhile")
        former = self.active_model
        same = identity(former.loaded.engine) == identity(loaded.engine)
        scales = former.scales if same else self._scales_of(loaded, first=False)
        self._activate(ActiveModel(loaded, scales))
        return f"model {self.value('model')} is in use"

    # Images.

    def _on_image(self, stream: CameraStream, message: Any) -> None:
        active, worker = self.active_model, self._worker
        has_work = worker is not None and self.has_work(stream)
        for image in stream.accept(message, has_work):
            if active is not None:
                active.scales[stream].set_image_stamp(nanoseconds(image.item.header.stamp))
            if worker is not None and has_work and worker.offer(stream, image):
                stream.statistics.add_dropped()

    def _work_on(self, images: Mapping[CameraStream, TimedMessage[Any]]) -> None:
        """Process the images that waited together, on the worker's thread."""
        active = self.active_model
        if active is None:
            return
        frames: list[FrameInWork] = []
        for stream, image in images.items():
            try:
                frame = stream.frame(image)
            except Exception as error:  # a broken camera must not stop the others
                stream.fail(error)
                continue
            if frame is not None:
                frames.append(FrameInWork(stream, active.scales[stream], frame))
        if not frames:
            return
        self._batches, self._batched = self._batches + 1, self._batched + len(frames)
        try:
            self.process(active.loaded, frames)
        except Exception as error:
            for unfinished in frames:
                unfinished.fail(error)

    # Diagnostics.

    def status(self) -> Status:
        """Rates, latencies, the model and the scale; of several cameras those of all together."""
        if len(self.streams) == 1:
            return self._status_of(self.streams[0], self._model_facts(), self.warnings())
        now = time.monotonic()
        metrics = {stream.name: stream.statistics.metrics(now) for stream in self.streams}
        level, message, values = overall_status(metrics, self.parts(), self.warnings())
        mean = self._batched / self._batches if self._batches else 0.0
        values |= {"images in a batch (mean)": f"{mean:.2f}", **self._model_facts()}
        if not self.is_active:
            return DiagnosticStatus.OK, "not active", values
        return level, message, values

    def parts(self) -> dict[str, Status]:
        """The status of each camera, if there are several."""
        if len(self.streams) == 1:
            return {}
        return {stream.name: self._status_of(stream, {}, ()) for stream in self.streams}

    def _status_of(
        self, stream: CameraStream, facts: Mapping[str, str], warnings: Sequence[str]
    ) -> Status:
        active = self.active_model
        if active is None:
            return stream.status(None, "", facts, warnings)
        card = active.loaded.engine.card
        return stream.status(active.scales[stream], card.scale, facts, warnings)

    def _model_facts(self) -> dict[str, str]:
        if self.active_model is None:
            return {}
        engine = self.active_model.loaded.engine
        return {
            "model": engine.card.name,
            "model hash": _short_hash(engine),
            **engine.describe(),
            "engine chosen": engine.chosen or "by parameters",
            **self.facts(),
        }


def identity(engine: Engine) -> str:
    """Name and hash of a model; each model has its own unit of depth, whatever its head says."""
    return f"{engine.card.name} ({_short_hash(engine)})"


def _short_hash(engine: Engine) -> str:
    files = engine.card.files.items()
    return "+".join(sha256[:12] for name, sha256 in files if name != UNCERTAINTY_FILE)


def _return_free_memory() -> None:
    """Return to the system what loading a model has freed; glibc would keep about 25 MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


def _close(scales: Mapping[CameraStream, ScaleSource]) -> None:
    for scale in scales.values():
        scale.close()
