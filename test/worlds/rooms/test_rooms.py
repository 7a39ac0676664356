"""The worlds `rooms` and `glossy_rooms`, tiny and with few rays."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from monodepth_ros.worlds.assembly import Assembly, merge, pose, tilt
from monodepth_ros.worlds.light import baked
from monodepth_ros.worlds.rooms import rooms, trajectory
from monodepth_ros.worlds.rooms.floor_plan import make_plan
from monodepth_ros.worlds.rooms.furnishing import CELL, CLEARANCE, furnish
from monodepth_ros.worlds.rooms.gloss import GLOSSES
from monodepth_ros.worlds.rooms.prints import CELLS, GRID, cell_rectangle, make_atlas

FPS = 10.0


@pytest.fixture(scope="module")
def flat():
    return rooms.lay_out(seed=1, frames=60, fps=FPS)


def volume(patch):
    """Signed volume inside a closed mesh: positive when its faces look outwards."""
    a, b, c = (patch.vertices[corner] for corner in patch.faces.T)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def test_solids_face_outwards_and_hold_their_volume():
    def solid(build):
        part = Assembly(np.random.default_rng(0))
        build(part)
        moved = Assembly(part.rng)
        moved.place(part, pose(1.0, 2.0, 3.0, 0.7) @ tilt(0.4))
        return merge(moved.patches)["wood"]

    box = solid(lambda part: part.box("wood", (0, 0, 1), (1, 2, 3), yaw=0.3))
    ball = solid(lambda part: part.cushion("wood", (0, 0, 0), (2, 2, 2), squareness=1.0))
    assert volume(box) == pytest.approx(6.0)
    assert volume(ball) == pytest.approx(4 / 3 * np.pi, rel=0.05)
    outward = ball.vertices - [1.0, 2.0, 3.0]
    np.testing.assert_allclose(np.einsum("ij,ij->i", outward, ball.normals), 1.0, atol=1e-9)


def test_tessellation_keeps_the_surface():
    part = Assembly(np.random.default_rng(0))
    part.quad("wood", [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]])
    whole = part.patches[0]
    pieces = baked.tessellated(whole, edge=0.3)
    a, b, c = (pieces.vertices[corner] for corner in pieces.faces.T)
    normals = np.cross(b - a, c - a) / 2
    assert normals.sum(0) == pytest.approx([0, 0, 2.0])
    assert np.linalg.norm(b - a, axis=1).max() <= 0.3 * np.sqrt(2)
    np.testing.assert_allclose(
        pieces.uv - pieces.uv[0], (pieces.vertices - pieces.vertices[0])[:, :2]
    )


def test_atlas_cells_do_not_overlap_and_are_drawn():
    used = [index for cells in CELLS.values() for index in cells]
    assert sorted(used) == list(range(GRID * GRID))
    atlas = make_atlas(np.random.default_rng(0)).astype(float)
    size = len(atlas)
    for index in used:
        u0, v0, u1, v1 = (round(size * edge) for edge in cell_rectangle(index))
        assert atlas[v1:v0, u0:u1].std() > 8, index


def test_same_seed_same_flat_and_longer_walk_begins_like_a_shorter_one(flat):
    patches, poses, speed = rooms.lay_out(seed=1, frames=30, fps=FPS)
    assert patches.keys() == flat[0].keys()
    for material, patch in patches.items():
        np.testing.assert_array_equal(patch.vertices, flat[0][material].vertices)
        np.testing.assert_array_equal(patch.uv, flat[0][material].uv)
    np.testing.assert_array_equal(poses, flat[1][:30])
    np.testing.assert_array_equal(speed, flat[2][:30])


def test_other_seed_other_flat(flat):
    rng = np.random.default_rng(2)
    plan = make_plan(rng)
    assert not np.isclose(plan.width, flat[0]["ceiling"].vertices[:, 0].max())


@pytest.mark.parametrize("seed", [2, 5])
def test_walk_keeps_clear_of_walls_and_furniture(seed):
    rng = np.random.default_rng(seed)
    plan = make_plan(rng)
    _, occupancy, landmarks = furnish(rng, plan)
    assert len(landmarks) >= 5
    assert occupancy.connects_all_rooms()
    walk = trajectory.plan_walk(rng, occupancy, landmarks, length=25.0)
    poses, speed = trajectory.walk_poses(rng, walk, frames=250, fps=FPS)
    taken = np.argwhere(occupancy.taken) * CELL
    nearest, _ = cKDTree(taken).query(poses[:, :2, 3])
    assert nearest.min() >= CLEARANCE
    assert 0.3 < speed.mean() < 1.2 and speed.max() < 2.0


def test_camera_is_held_like_a_phone(flat):
    poses = flat[1]
    rotations = poses[:, :3, :3]
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(60, 0), atol=1e-12
    )
    assert np.linalg.det(rotations) == pytest.approx(np.ones(60))
    assert (1.15 < poses[:, 2, 3]).all() and (poses[:, 2, 3] < 1.75).all()
    assert (rotations[:, 2, 1] < -0.6).all()  # the image's down is down
    assert (np.abs(rotations[:, 2, 0]) < np.sin(np.radians(6))).all()  # roll
    turn = np.arccos(
        np.clip((np.einsum("nij,nij->n", rotations[1:], rotations[:-1]) - 1) / 2, -1, 1)
    )
    assert np.degrees(turn).max() < 8.0


@pytest.fixture(scope="module")
def frames():
    """Two frames of both worlds at 64x40, coarsely lit."""
    pytest.importorskip("mitsuba")
    from monodepth_ros.worlds.registry import default_camera
    from monodepth_ros.worlds.render import Renderer

    patch = pytest.MonkeyPatch()
    patch.setattr(baked, "DIRECT_SAMPLES", 2)
    patch.setattr(baked, "GATHER_SAMPLES", 1)
    patch.setattr(rooms, "LIGHT_GRID", 0.4)
    camera = default_camera("rooms", 64, 40)
    rendered = {}
    for name, build in (("rooms", rooms.build_rooms), ("glossy_rooms", rooms.build_glossy_rooms)):
        world = build(4, 40, camera, FPS)
        renderer = Renderer(world, samples=4)
        rendered[name] = (world, renderer, [renderer.frame(index) for index in (0, 39)])
    patch.undo()
    return rendered


@pytest.mark.parametrize("name", ["rooms", "glossy_rooms"])
def test_frames_are_lit_textured_and_of_room_size(frames, name):
    for frame in frames[name][2]:
        assert np.isfinite(frame.depth).mean() > 0.99
        assert 0.25 < np.nanmin(frame.depth) and np.nanmax(frame.depth) < 13.0
        luminance = frame.image.mean(-1)
        assert 40 < luminance.mean() < 215
        assert luminance.std() > 10
        gradient = np.abs(np.diff(luminance, axis=1))
        assert (gradient > 2).mean() > 0.3  # something to match nearly everywhere


def test_matte_rooms_have_no_reflective_mask(frames):
    assert all(frame.reflective is None for frame in frames["rooms"][2])


def test_reflective_pixels_lie_on_glossy_things(frames):
    world, renderer, rendered = frames["glossy_rooms"]
    patches, _, _ = rooms.lay_out(4, 40, FPS, mirrors=True)
    glossy, matte = (
        cKDTree(
            np.concatenate(
                [
                    _sampled(patch)
                    for name, patch in patches.items()
                    if (_kind(name) in GLOSSES) == wanted
                ]
            )
        )
        for wanted in (True, False)
    )
    masks = np.stack([frame.reflective for frame in rendered])
    assert 0.005 < masks.mean() < 0.6
    camera = world.camera
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.K).T
    on_glossy = []
    for frame in rendered:
        points = (rays * frame.depth[..., None]) @ frame.pose[:3, :3].T + frame.pose[:3, 3]
        inner = frame.reflective & (_eroded(frame.reflective))
        on_glossy += list(glossy.query(points[inner])[0] < matte.query(points[inner])[0] + 0.02)
    assert len(on_glossy) > 5 and np.mean(on_glossy) > 0.9


def _kind(material):
    return material.rstrip("0123456789")


def _sampled(patch):
    """Points on the faces of a patch, about 3 cm apart."""
    rng = np.random.default_rng(0)
    a, b, c = (patch.vertices[corner] for corner in patch.faces.T)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    face = np.repeat(np.arange(len(area)), 1 + (area / 0.03**2).astype(int))
    s, t = np.sqrt(rng.random(len(face))), rng.random(len(face))
    weights = np.stack([1 - s, s * (1 - t), s * t], -1)
    return np.einsum("nk,nkd->nd", weights, np.stack([a[face], b[face], c[face]], 1))


def _eroded(mask):
    """Pixels with all neighbours in the mask: their depth is not that of something beside it."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    return inner
