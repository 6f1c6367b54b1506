# Build options, and `lindero_options`: the flags that every target of ours compiles with.

option(LINDERO_WERROR "Treat warnings as errors (on in CI)" OFF)
option(LINDERO_SANITIZE "Build with the address and undefined-behaviour sanitizers" OFF)
option(LINDERO_FUZZ "Build the fuzz targets of tests/fuzz, and all that they link, with libFuzzer and sanitizers; needs clang" OFF)
option(LINDERO_TEST_MODELS "Test models/YOUR_MODEL.md too, with the Python environment that it makes" OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

# x86-64-v3 brings AVX2 and FMA, which the integer products run on. Results never depend on it.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(lindero_default_march x86-64-v3)
else()
  set(lindero_default_march "")
endif()
set(LINDERO_MARCH "${lindero_default_march}" CACHE STRING "Value of -march; empty for the compiler's default")

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g0 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g0 -DNDEBUG")

find_program(LINDERO_CCACHE ccache)
if(LINDERO_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${LINDERO_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${LINDERO_CCACHE}")
endif()

add_library(lindero_options INTERFACE)
target_compile_features(lindero_options INTERFACE cxx_std_20)
target_include_directories(lindero_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${LINDERO_INCLUDE_FOLDER}>)
# Ours alone: a program that uses the installed library has its own.
set(lindero_flags -Wall -Wextra -Wno-unused-parameter -Wnon-virtual-dtor -Woverloaded-virtual)
if(LINDERO_WERROR)
  list(APPEND lindero_flags -Werror)
endif()
if(LINDERO_MARCH)
  list(APPEND lindero_flags -march=${LINDERO_MARCH})
endif()
# Fused multiply-add would make floating-point results depend on the machine that compiles.
list(APPEND lindero_flags -ffp-contract=off)
target_compile_options(lindero_options INTERFACE "$<BUILD_INTERFACE:${lindero_flags}>")
lindero_install_target(lindero_options)
if(LINDERO_SANITIZE)
  target_compile_options(lindero_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(lindero_options INTERFACE -fsanitize=address,undefined)
endif()
if(LINDERO_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "LINDERO_FUZZ needs clang: set CMAKE_C_COMPILER and CMAKE_CXX_COMPILER")
  endif()
  # The standard library's and the packages' own code is not instrumented: types of theirs are no matter of ours.
  target_compile_options(lindero_options INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr,function -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer -gline-tables-only)
  target_link_options(lindero_options INTERFACE -fsanitize=address,undefined)
endif()
