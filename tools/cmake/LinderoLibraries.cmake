# The libraries that ours are linked with: for the build, and for whoever finds the installed package. Errors name
# tools/setup, which installs all of them.

# lindero_find_libraries(ONNX_HINT folder LLVM_HINTS folders… [RUNTIME_ONLY])
# RUNTIME_ONLY: of a program that compiles no models.
macro(lindero_find_libraries)
  cmake_parse_arguments(lindero_find "RUNTIME_ONLY" "ONNX_HINT" "LLVM_HINTS" ${ARGN})
  find_package(absl CONFIG REQUIRED)
  find_package(Protobuf REQUIRED)
  find_package(Eigen3 CONFIG REQUIRED)
  find_package(nlohmann_json CONFIG REQUIRED)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
  find_package(Threads REQUIRED)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
  pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-i18n icu-uc)
  if(NOT lindero_find_RUNTIME_ONLY)
    find_package(MPFR REQUIRED)
    # A static libLLVMSupport: 16 and up have the API that we use, 19 is what CI builds with.
    find_package(LLVM CONFIG QUIET HINTS ${lindero_find_LLVM_HINTS})
    if(NOT LLVM_FOUND OR LLVM_VERSION_MAJOR LESS 16)
      message(FATAL_ERROR "LLVM 16 or newer is missing: run tools/setup, or set LLVM_DIR")
    endif()
    find_package(ONNX 1.23 CONFIG QUIET HINTS "${lindero_find_ONNX_HINT}")
    if(NOT ONNX_FOUND)
      message(FATAL_ERROR "ONNX's C++ library, 1.23 or newer, is missing: run tools/setup, or set ONNX_DIR")
    endif()
  endif()
endmacro()
