# One call per target. Sources are listed one by one; includes are written from the repository's
# root ("ir/core/module.h"), generated headers too ("runtime/package/circuit.pb.h").

# lindero_library(NAME SRCS a.cc… DEPS targets…)
# A static library; without sources a header-only one.
function(lindero_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS")
  lindero_reject_unparsed(${name} "${arg_UNPARSED_ARGUMENTS}")
  if(arg_SRCS)
    add_library(${name} STATIC ${arg_SRCS})
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(${name} PUBLIC lindero_options ${arg_DEPS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE lindero_options ${arg_DEPS})
  endif()
  lindero_install_library(${name})
endfunction()

# lindero_protobuf(NAME PROTOS a.proto… DEPS targets…)
# A static library of the messages; imports in a .proto are written from the repository's root.
function(lindero_protobuf name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PROTOS;DEPS")
  lindero_reject_unparsed(${name} "${arg_UNPARSED_ARGUMENTS}")
  set(generated "")
  # They may import each other.
  list(TRANSFORM arg_PROTOS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" OUTPUT_VARIABLE protos)
  foreach(proto IN LISTS arg_PROTOS)
    cmake_path(ABSOLUTE_PATH proto NORMALIZE)
    cmake_path(RELATIVE_PATH proto BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE stem)
    cmake_path(REMOVE_EXTENSION stem LAST_ONLY)
    set(outputs "${PROJECT_BINARY_DIR}/${stem}.pb.cc" "${PROJECT_BINARY_DIR}/${stem}.pb.h")
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc "--proto_path=${PROJECT_SOURCE_DIR}" "--cpp_out=${PROJECT_BINARY_DIR}" "${proto}"
      DEPENDS ${protos} protobuf::protoc
      COMMENT "Generating ${stem}.pb.h"
      VERBATIM)
    list(APPEND generated ${outputs})
  endforeach()
  add_library(${name} STATIC ${generated})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} SYSTEM PUBLIC
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}> $<INSTALL_INTERFACE:${LINDERO_INCLUDE_FOLDER}>)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${arg_DEPS})
  lindero_install_library(${name})
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE folder)
  list(FILTER generated INCLUDE REGEX "\\.h$")
  install(FILES ${generated} DESTINATION "${LINDERO_INCLUDE_FOLDER}/${folder}" COMPONENT libraries)
endfunction()

# lindero_executable(NAME SRCS a.cc… DEPS targets… [PLUGIN_API libraries…])
# The program lands in <build>/bin and is installed. PLUGIN_API: static libraries that are linked whole and whose symbols are exported,
# so that a plugin finds all of them and not only those that the program happens to use.
function(lindero_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS;PLUGIN_API")
  lindero_reject_unparsed(${name} "${arg_UNPARSED_ARGUMENTS}")
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE lindero_options ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  if(arg_PLUGIN_API)
    target_link_libraries(${name} PRIVATE ${arg_PLUGIN_API})
    # By file, and not with WHOLE_ARCHIVE: CMake repeats a library on the command line, and twice whole does not link.
    foreach(library IN LISTS arg_PLUGIN_API)
      target_link_options(${name} PRIVATE
        "SHELL:-Wl,--push-state,--whole-archive $<TARGET_FILE:${library}> -Wl,--pop-state")
    endforeach()
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
  endif()
  install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT programs)
endfunction()

# lindero_test(NAME SRCS a_test.cc… DEPS targets… [TIMEOUT seconds] [SLOW])
# A GoogleTest program (main included) and its ctest entry, run from the repository's root. SLOW: tools/test --fast, which
# stays within a minute, leaves it out. Tests that are no such program set the label themselves (LABELS slow).
function(lindero_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SLOW" "TIMEOUT" "SRCS;DEPS")
  lindero_reject_unparsed(${name} "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE lindero_options ${arg_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT})
  if(arg_SLOW)
    set_tests_properties(${name} PROPERTIES LABELS slow)
  endif()
endfunction()

# lindero_benchmark(NAME SRCS a_bench.cc… DEPS targets…)
# A google-benchmark program (main included) in <build>/bench; not a test.
function(lindero_benchmark name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS")
  lindero_reject_unparsed(${name} "${arg_UNPARSED_ARGUMENTS}")
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE lindero_options ${arg_DEPS} benchmark::benchmark_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
endfunction()

function(lindero_reject_unparsed name unparsed)
  if(unparsed)
    message(FATAL_ERROR "${name}: unknown arguments: ${unparsed}")
  endif()
endfunction()
