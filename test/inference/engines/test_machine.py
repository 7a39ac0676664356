"""What a measurement is remembered by."""

import os

from monodepth_ros.inference.engines.machine import has_gpu, library_versions, machine_facts

X86 = "processor : 0\nmodel name\t: Fast CPU\nflags\t\t: sse avx\n\nprocessor : 1\n"
ARM = "processor : 0\nFeatures : fp asimd\nCPU implementer : 0x41\nCPU variant : 0x0\n"


def facts(tmp_path, cpuinfo):
    (tmp_path / "proc").mkdir(exist_ok=True)
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    return machine_facts(tmp_path)


def test_a_pc_with_a_gpu(tmp_path):
    gpu = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0"
    gpu.mkdir(parents=True)
    (gpu / "information").write_text("Model: \t\t NVIDIA A2\nIRQ: 7\n")
    assert has_gpu(tmp_path)
    found = facts(tmp_path, X86)
    assert (found["cpu"], found["gpus"], found["board"]) == ("Fast CPU", "NVIDIA A2", "")
    assert found["cores"] == str(len(os.sched_getaffinity(0)))
    assert facts(tmp_path, X86.replace("avx", "avx2"))["features"] != found["features"]


def test_a_board_is_known_by_its_name(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Some Board\0")
    found = facts(tmp_path, ARM)
    assert not has_gpu(tmp_path)
    assert (found["board"], found["gpus"], found["cpu"]) == ("Some Board", "", "0x41 0x0")


def test_libraries_that_are_not_installed_have_no_version():
    assert "numpy" in library_versions(["numpy", "a_library_that_nobody_has"])
    assert "a_library_that_nobody_has" not in library_versions(["a_library_that_nobody_has"])
