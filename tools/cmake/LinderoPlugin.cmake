# lindero_plugin(NAME SRCS a.cc…)
# A plugin in <build>/plugins, in our tree or in one that found Lindero. It links nothing of ours nor of LLVM: the
# program that loads it brings both.
function(lindero_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} MODULE ${arg_SRCS})
  target_link_libraries(${name} PRIVATE Lindero::options)
  foreach(headers IN ITEMS Lindero::llvm absl::status)
    target_include_directories(${name} SYSTEM PRIVATE $<TARGET_PROPERTY:${headers},INTERFACE_INCLUDE_DIRECTORIES>)
  endforeach()
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/plugins")
endfunction()
