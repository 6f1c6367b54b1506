# Everything that is not ours. `tools/setup` installs all of it.

# Where tools/setup keeps what it builds; CMAKE_PREFIX_PATH or ONNX_DIR take precedence.
if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(lindero_cache "$ENV{XDG_CACHE_HOME}/lindero")
else()
  set(lindero_cache "$ENV{HOME}/.cache/lindero")
endif()

# A static libLLVMSupport: 16 and up have the API that we use, 19 is what CI builds with.
find_package(LLVM CONFIG QUIET HINTS
  /usr/lib/llvm-19 /usr/lib/llvm-20 /usr/lib/llvm-21 /usr/lib/llvm-18 /usr/lib/llvm-17 /usr/lib/llvm-16)
if(NOT LLVM_FOUND OR LLVM_VERSION_MAJOR LESS 16)
  message(FATAL_ERROR "LLVM 16 or newer is missing: run tools/setup, or set LLVM_DIR")
endif()
llvm_map_components_to_libnames(lindero_llvm_libraries support)
add_library(lindero_llvm INTERFACE)
add_library(lindero::llvm ALIAS lindero_llvm)
separate_arguments(lindero_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_definitions(lindero_llvm INTERFACE ${lindero_llvm_definitions})
target_include_directories(lindero_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(lindero_llvm INTERFACE ${lindero_llvm_libraries})

find_package(absl CONFIG REQUIRED)
find_package(Protobuf REQUIRED)
find_package(Eigen3 CONFIG REQUIRED)
find_package(MPFR REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-i18n icu-uc)
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)

find_package(ONNX CONFIG QUIET HINTS "${lindero_cache}/onnx")
if(NOT ONNX_FOUND)
  message(FATAL_ERROR "ONNX's C++ library is missing: run tools/setup, or set ONNX_DIR")
endif()
# The exported target of 1.19 names no include folder, which matters outside of /usr.
find_path(LINDERO_ONNX_INCLUDE_DIR onnx/onnx_pb.h HINTS "${ONNX_DIR}/../../../include" REQUIRED)
target_include_directories(ONNX::onnx SYSTEM INTERFACE "${LINDERO_ONNX_INCLUDE_DIR}")

# For the tests and the model generators.
set(LINDERO_PYTHON "${lindero_cache}/python/bin/python" CACHE FILEPATH "A Python that has lit, onnx and numpy")
find_program(LINDERO_FILECHECK FileCheck HINTS "${LLVM_TOOLS_BINARY_DIR}")
if(NOT EXISTS "${LINDERO_PYTHON}" OR NOT LINDERO_FILECHECK)
  message(FATAL_ERROR "lit or FileCheck is missing: run tools/setup, or set LINDERO_PYTHON and LLVM_DIR")
endif()
