# lindero_cargo_workspace(NAME BINARIES programs…)
# The Cargo workspace of the current folder, as target NAME (part of the default build); the programs are copied to
# <build>/bin, and installed. Its unit tests become the ctest entry NAME, built with everything else. Cargo runs inside the workspace,
# so that it reads its .cargo/config.toml, and decides by itself what is out of date. All presets share one target
# folder: the sanitizers and the build type are about the C++ side.

find_program(LINDERO_CARGO cargo HINTS "$ENV{HOME}/.cargo/bin")
set(LINDERO_CARGO_TARGET_DIR "${PROJECT_SOURCE_DIR}/build/cargo" CACHE PATH "Where cargo builds")

function(lindero_cargo_workspace name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "BINARIES")
  lindero_reject_unparsed(${name} "${arg_UNPARSED_ARGUMENTS}")
  if(NOT LINDERO_CARGO)
    message(FATAL_ERROR "cargo is missing: run tools/setup, which says where to get it")
  endif()
  set(cargo "${CMAKE_COMMAND}" -E env "CARGO_TARGET_DIR=${LINDERO_CARGO_TARGET_DIR}" "${LINDERO_CARGO}")
  list(TRANSFORM arg_BINARIES PREPEND "${LINDERO_CARGO_TARGET_DIR}/release/" OUTPUT_VARIABLE built)
  add_custom_target(${name} ALL
    COMMAND ${cargo} build --locked --release --quiet
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${PROJECT_BINARY_DIR}/bin"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different ${built} "${PROJECT_BINARY_DIR}/bin"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Building the Rust workspace ${name}"
    VERBATIM)
  add_custom_target(${name}_tests ALL
    COMMAND ${cargo} test --locked --release --quiet --no-run
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Building the tests of the Rust workspace ${name}"
    VERBATIM)
  list(TRANSFORM arg_BINARIES PREPEND "${PROJECT_BINARY_DIR}/bin/" OUTPUT_VARIABLE programs)
  install(PROGRAMS ${programs} DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT programs)
  # One cargo at a time: they would wait for each other's lock.
  add_dependencies(${name}_tests ${name})
  add_test(NAME ${name}
    COMMAND ${cargo} test --locked --release --no-fail-fast
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 PROCESSORS 2 LABELS slow)
endfunction()
