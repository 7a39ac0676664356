"""The model card: what a model is, where it comes from, and what its outputs mean."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.image_size import Kernel
from monodepth_ros.networks.published import CONFIG_FILE, PREPROCESSOR_FILE, Json
from monodepth_ros.networks.registry import ARCHITECTURES, Ambiguity, Output, find_architecture
from monodepth_ros.yaml_file import read_mapping
from monodepth_ros.zoo.resize_rule import ResizeRule
from monodepth_ros.zoo.size import NetworkSize

CARD_FILE = "card.yaml"
# (height, width) of the images that stand for all where a network's size follows from the image.
USUAL_IMAGE = (480, 640)


def check_size(architecture: str, size: tuple[int, int], multiple: int | None = None) -> None:
    """``ValueError`` when the network cannot work at the (height, width).

    Sides are in multiples of the architecture's ``size_multiple``, or of a card's.
    """
    known = find_architecture(architecture)
    multiple = known.size_multiple if multiple is None else multiple
    height, width = size
    if height % multiple or width % multiple:
        raise ValueError(f"{width}x{height}: {architecture} needs multiples of {multiple}")
    if min(size) < known.smallest_size:
        raise ValueError(
            f"{width}x{height}: {architecture} needs at least {known.smallest_size} pixels"
        )


# Plain names: a card can neither reach out of its folder nor name anything but weights.
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
# Published weights come with two files that describe them.
ModelFile = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99}\.safetensors|(preprocessor_)?config\.json)$"
    ),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


ExportFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
ExportFormat = Literal["onnx", "openvino", "torch-export"]
NetworkPart = Literal["depth", "pose"]
ExportPrecision = Literal["fp32", "fp16", "int8"]


class Export(BaseModel):
    """A network of the model as a file that another runtime reads, for one size of images.

    ``file`` is what the runtime opens, ``proof`` what its outputs are compared with (`inference/
    export/proof.py`). ``files`` has the hashes of both and of what ``file`` needs beside it.
    """

    model_config = ConfigDict(extra="forbid")

    format: ExportFormat
    network: NetworkPart
    size: NetworkSize
    precision: ExportPrecision = "fp32"
    file: ExportFile
    proof: ExportFile | None = None
    files: dict[ExportFile, Sha256]
    made_with: dict[str, str] = {}

    @model_validator(mode="after")
    def _all_hashed(self) -> Export:
        for name in (self.file, self.proof):
            if name is not None and name not in self.files:
                raise ValueError(f"files lacks the hash of {name}")
        return self


class Provenance(BaseModel):
    """Where weights come from: data, recipe, the command that rebuilds them, measured results.

    ``calibration`` says whether somebody measured the cameras of the data or guessed one of them.
    """

    model_config = ConfigDict(extra="forbid")

    data: str
    recipe: str = ""
    command: str = ""
    results: dict[str, float] = {}
    calibration: Literal["measured", "guessed"] | None = None


class Uncertainty(BaseModel):
    """That the depth network tells its variance, and how.

    ``members`` make it, in a file of their own. ``temperature`` calibrates it: the standard
    deviation of log depth is that much times the network's.
    """

    model_config = ConfigDict(extra="forbid")

    members: PositiveInt
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    provenance: Provenance | None = None


class Familiar(BaseModel):
    """What images a model knows: mean and covariance of their statistics, and how far is too far.

    Statistics are those of `inference/uncertainty/familiarity.py`. Beyond ``limit``, a Mahalanobis
    distance, an image counts as another kind.
    """

    model_config = ConfigDict(extra="forbid")

    mean: list[float]
    covariance: list[list[float]]
    limit: PositiveFloat


class ErrorModel(BaseModel):
    """How far depth errs: the logarithm of the standard deviation of log depth (natural).

    It is the ``intercept`` and the sum of weights times terms, those of
    `inference/uncertainty/terms.py`; ``head`` is the weight of what the network itself says.
    ``data`` names what it was calibrated on.
    """

    model_config = ConfigDict(extra="forbid")

    intercept: float
    slope: float = 0.0
    edge: float = 0.0
    offset: float = 0.0
    border: float = 0.0
    head: float = 0.0
    familiar: Familiar | None = None
    data: str = ""


class Metres(BaseModel):
    """Metres by a fit to known depth: inverse depth in 1/m is ``scale * q ** exponent + shift``.

    ``q`` is what the network gives. ``deviation`` is that of the logarithm of depth between the fit
    and the ``points`` of ``frames`` it was made with; ``data`` names these.
    """

    model_config = ConfigDict(extra="forbid")

    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    shift: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    exponent: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    deviation: NonNegativeFloat
    frames: PositiveInt
    points: PositiveInt
    data: str


class ModelCard(BaseModel):
    """A model's card, ``card.yaml`` in its folder.

    ``size`` is (height, width) in Python and ``640x192`` in the file; other sizes are in multiples
    of ``size_multiple``. Without it the network's size follows from each image, by ``resize``:
    `size_for` tells it. ``min_depth`` and ``max_depth`` bound the depth of ``output: disparity``,
    and are 0 and infinite for ``inverse_depth``. ``ambiguity`` is what images alone do not tell of
    the output; with ``scale: metric`` training has told it, and metres are depth times ``factor``.
    Where this holds for one focal length only, ``focal_length`` is the training camera's, ``sqrt(fx
    fy)`` in pixels at the network's size. ``metres`` says how an output that is not metric by
    itself becomes metric, where somebody has calibrated it; the factor is 1 then. ``homepage`` and
    ``revision`` tell where weights were published, and which of their versions they are.
    ``uncertainty`` is that of depth, where the network tells it; ``error_model``, where somebody
    has calibrated the model, is what all that is known of an image tells of it. What the card
    leaves out is as the architecture has it.
    """

    model_config = ConfigDict(extra="forbid")

    name: ModelName
    licence: Annotated[str, Field(min_length=1)]
    provenance: Provenance
    homepage: str | None = None
    revision: str | None = None
    architecture: str
    size: NetworkSize | None = None
    resize: ResizeRule | None = None
    size_multiple: PositiveInt = 1
    min_depth: NonNegativeFloat = 0.1
    max_depth: PositiveFloat = 100.0
    output: Output = "disparity"
    ambiguity: Ambiguity = "scale"
    scale: Literal["metric", "relative"] = "relative"
    factor: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    focal_length: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    metres: Metres | None = None
    uncertainty: Uncertainty | None = None
    error_model: ErrorModel | None = None
    files: dict[ModelFile, Sha256] = {}
    exports: list[Export] = []
    _published: dict[str, Json] = PrivateAttr(default_factory=dict)

    @property
    def published(self) -> Mapping[str, Json]:
        """What files beside the card say of its network: ``config`` and ``preprocessor``.

        Empty where the architecture's name says all.
        """
        return self._published

    @property
    def usual_size(self) -> tuple[int, int]:
        """The network's (height, width): the fixed one, else that for images of 640x480."""
        return self.size_for(USUAL_IMAGE)

    def size_for(self, image: tuple[int, int]) -> tuple[int, int]:
        """The network's (height, width) for an image of this one."""
        if self.size is not None:
            return self.size
        assert self.resize is not None
        return self.resize.size_for(image)

    @property
    def kernel(self) -> Kernel:
        """That by which frames are resized."""
        return "bilinear" if self.resize is None else self.resize.kernel

    def content(self) -> dict[str, object]:
        """What decides the depth, as JSON holds it: all but where it comes from."""
        said = {"name", "licence", "provenance", "homepage", "revision", "exports"}
        return self.model_dump(mode="json", exclude=said)

    @property
    def unknown_shift(self) -> bool:
        """Whether depth follows from the output only with a scale and a shift that are unknown."""
        return self.ambiguity == "scale_and_shift" and self.scale == "relative"

    @field_validator("architecture")
    @classmethod
    def _known_architecture(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            raise ValueError(f"{name!r} is not one of {', '.join(ARCHITECTURES)}")
        return name

    @model_validator(mode="before")
    @classmethod
    def _as_the_architecture_has_it(cls, values: Any) -> Any:
        architecture = values.get("architecture") if isinstance(values, dict) else None
        known = ARCHITECTURES.get(str(architecture))
        if known is None:
            return values  # what is wrong with it is told where it is read
        unbounded = {"min_depth": 0.0, "max_depth": math.inf}
        return {
            **(unbounded if known.output == "inverse_depth" else {}),
            "size_multiple": known.size_multiple,
            "output": known.output,
            "ambiguity": known.ambiguity,
            **values,
        }

    @model_validator(mode="after")
    def _consistent(self) -> ModelCard:
        if self.uncertainty and not find_architecture(self.architecture).tells_variance:
            raise ValueError(f"uncertainty: {self.architecture} has no head for it")
        needed = find_architecture(self.architecture).size_multiple
        if self.size_multiple % needed:
            raise ValueError(f"size_multiple {self.size_multiple} is not a multiple of {needed}")
        if self.size is None and self.resize is None:
            raise ValueError("size: Field required, or resize: a rule that it follows from")
        try:
            check_size(self.architecture, self.usual_size, self.size_multiple)
        except ValueError as error:
            raise ValueError(f"size {error}") from None
        if not self.min_depth < self.max_depth:
            raise ValueError(f"min_depth {self.min_depth} is not below max_depth {self.max_depth}")
        if (self.min_depth, self.max_depth) != (0, math.inf) and self.output == "inverse_depth":
            raise ValueError("min_depth and max_depth belong to output: disparity")
        if not 0 < self.min_depth < self.max_depth < math.inf and self.output == "disparity":
            raise ValueError("output: disparity needs min_depth above 0 and a finite max_depth")
        if self.metres is not None and (self.scale != "metric" or self.factor != 1.0):
            raise ValueError("metres belongs to scale: metric, with factor 1")
        if self.scale == "metric" and self.ambiguity == "scale_and_shift" and self.metres is None:
            raise ValueError(
                "ambiguity scale_and_shift is not metric without metres: use scale: relative"
            )
        if self.scale == "relative" and (self.factor != 1.0 or self.focal_length is not None):
            raise ValueError("factor and focal_length belong to scale: metric")
        return self


def load_card(folder: Path) -> ModelCard:
    """The card of the model in ``folder``; a :class:`UserError` names the file and the key."""
    path = Path(folder) / CARD_FILE
    if not path.exists():
        raise UserError(f"{folder}: not a model folder, it has no {CARD_FILE}")
    values = read_mapping(path, "a model card")
    try:
        card = ModelCard.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path}: {describe_errors(error)}") from None
    if find_architecture(card.architecture).is_published:
        card._published = read_published(Path(folder))
    return card


def read_published(folder: Path) -> dict[str, Json]:
    """``config`` and ``preprocessor`` as published; a :class:`UserError` names what is missing."""
    found: dict[str, Json] = {}
    for key, name in (("config", CONFIG_FILE), ("preprocessor", PREPROCESSOR_FILE)):
        path = folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{folder}: lacks {name}: take it from where the weights are") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: not a readable JSON file: {error}") from None
        if not isinstance(content, dict):
            raise UserError(f"{path}: not a JSON object")
        found[key] = content
    return found


def save_card(folder: Path, card: ModelCard) -> None:
    """Write ``card`` into ``folder``, in the order in which its keys are declared."""
    with atomic_path(Path(folder) / CARD_FILE) as path:
        text = yaml.safe_dump(card.model_dump(exclude_none=True), sort_keys=False)
        path.write_text(text, encoding="utf-8")


def describe_errors(error: ValidationError) -> str:
    """What is wrong with a file's keys, in one line."""
    problems = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{key}: {message}" if key else message)
    return "; ".join(problems)
