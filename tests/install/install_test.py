"""Installs the build to an empty folder, and builds and runs there what knows nothing of this source tree.

consumer: a program that compiles an ONNX model, proves a run of it and verifies the proof, with the installed library.
plugin:   a pass and a placement policy of tests/plugin, loaded by the installed lindero-opt.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

KIND, SOURCE, BUILD, CMAKE = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]

PLUGIN_PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(plugin LANGUAGES C CXX)
find_package(Lindero REQUIRED)
lindero_plugin(drop_double_negation SRCS drop_double_negation.cc)
lindero_plugin(cut_narrowest SRCS cut_narrowest.cc)
"""

IR = """func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = tensor.exp(%x) : tensor<2xf32>
  %1 = tensor.neg(%0) : tensor<2xf32>
  %2 = tensor.neg(%1) : tensor<2xf32>
  tensor.return(%2)
}
"""


def run(*command, **options):
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    return subprocess.run(words, check=True, **options)


def build(project, prefix):
    run(CMAKE, "-S", project, "-B", project / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_PREFIX_PATH={prefix}")
    run(CMAKE, "--build", project / "build")


def consumer(work, prefix):
    project = work / "consumer"
    shutil.copytree(SOURCE / "tests/install/consumer", project)
    build(project, prefix)
    found = run(project / "build/consumer", SOURCE / "models/toy_gpt.onnx", work / "out", prefix / "bin",
                stdout=subprocess.PIPE, text=True)
    print(found.stdout)
    assert "accepted" in found.stdout and "rejected: another key" in found.stdout, "the proof was not verified"


def plugin(work, prefix):
    project = work / "plugin"
    project.mkdir()
    for name in ("drop_double_negation.cc", "cut_narrowest.cc"):
        shutil.copy(SOURCE / "tests/plugin" / name, project)
    (project / "CMakeLists.txt").write_text(PLUGIN_PROJECT)
    build(project, prefix)
    found = run(prefix / "bin/lindero-opt", f"--load-pass-plugin={project / 'build/plugins/drop_double_negation.so'}",
                "--passes=drop-double-negation,eliminate-dead-ops", input=IR, stdout=subprocess.PIPE, text=True)
    print(found.stdout)
    assert "tensor.return" in found.stdout and "tensor.neg" not in found.stdout, "the plugin's pass did nothing"
    found = run(prefix / "bin/lindero-opt", SOURCE / "models/toy_gpt.onnx",
                f"--load-pass-plugin={project / 'build/plugins/cut_narrowest.so'}",
                "--passes=import-cleanup,quantize,form-regions,place-proof-boundaries{policy=cut-narrowest segments=3}"
                ",apply-proof-boundaries", stdout=subprocess.PIPE, text=True)
    assert found.stdout.count("proof.segment") == 3, "the plugin's policy placed no boundaries"


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        run(CMAKE, "--install", BUILD, "--prefix", work / "installed", stdout=subprocess.DEVNULL)
        {"consumer": consumer, "plugin": plugin}[KIND](work, work / "installed")


main()
