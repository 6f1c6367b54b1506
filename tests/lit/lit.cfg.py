"""How lit runs the IR tests. Reached through the site configuration that CMake writes."""

import os
import sys

import lit.formats

config.name = "lindero"
# The internal shell: pipes and `not` mean the same on every machine, and a failing stage of a pipe fails the test.
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".lir", ".test"]
# `Inputs` folders hold what tests read, not tests.
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.lindero_scratch

config.environment["PATH"] = os.pathsep.join(
    [config.lindero_programs, config.lindero_filecheck, os.environ.get("PATH", "")]
)
# A failing comparison shows the input around it.
config.environment["FILECHECK_OPTS"] = "--dump-input=fail --dump-input-context=8"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%models", os.path.join(config.lindero_source, "models")))
config.substitutions.append(("%plugins", config.lindero_plugins))
config.substitutions.append(("%python", sys.executable))

if config.lindero_sanitized:
    config.available_features.add("sanitized")
