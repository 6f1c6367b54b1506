# Everything that is not ours. `tools/setup` installs all of it.

# Where tools/setup keeps what it builds; CMAKE_PREFIX_PATH or ONNX_DIR take precedence.
if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(lindero_cache "$ENV{XDG_CACHE_HOME}/lindero")
else()
  set(lindero_cache "$ENV{HOME}/.cache/lindero")
endif()

include(LinderoLibraries)
lindero_find_libraries(ONNX_HINT "${lindero_cache}/onnx" LLVM_HINTS
  /usr/lib/llvm-19 /usr/lib/llvm-20 /usr/lib/llvm-21 /usr/lib/llvm-18 /usr/lib/llvm-17 /usr/lib/llvm-16)

llvm_map_components_to_libnames(lindero_llvm_libraries support)
add_library(lindero_llvm INTERFACE)
separate_arguments(lindero_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_definitions(lindero_llvm INTERFACE ${lindero_llvm_definitions})
target_include_directories(lindero_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(lindero_llvm INTERFACE ${lindero_llvm_libraries})
lindero_install_target(lindero_llvm)

find_package(CLI11 CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)

# For the tests and the model generators.
set(LINDERO_PYTHON "${lindero_cache}/python/bin/python" CACHE FILEPATH "A Python that has lit, onnx and numpy")
find_program(LINDERO_FILECHECK FileCheck HINTS "${LLVM_TOOLS_BINARY_DIR}")
if(NOT EXISTS "${LINDERO_PYTHON}" OR NOT LINDERO_FILECHECK)
  message(FATAL_ERROR "lit or FileCheck is missing: run tools/setup, or set LINDERO_PYTHON and LLVM_DIR")
endif()
