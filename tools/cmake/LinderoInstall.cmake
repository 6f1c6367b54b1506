# What `cmake --install` puts where: programs in bin, our static libraries in lib, headers in include/lindero (written
# from there as from the repository's root), and what find_package(Lindero) needs. Component by component:
# --component programs, --component libraries.
#
#     find_package(Lindero REQUIRED)                        # or: COMPONENTS runtime, which needs no LLVM and no ONNX
#     target_link_libraries(mine PRIVATE Lindero::compiler) # or: Lindero::runtime
#     lindero_plugin(my_passes SRCS my_passes.cc)           # for lindero-opt --load-pass-plugin

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(LINDERO_INCLUDE_FOLDER "${CMAKE_INSTALL_INCLUDEDIR}/lindero")
set(LINDERO_CONFIG_FOLDER "${CMAKE_INSTALL_LIBDIR}/cmake/Lindero")

# Of a library in runtime/, ir/, passes/ or compiler/, and of what those link: Lindero::<name without lindero_>.
function(lindero_install_target name)
  string(REGEX REPLACE "^lindero_" "" short "${name}")
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${short})
  add_library(Lindero::${short} ALIAS ${name})
  install(TARGETS ${name} EXPORT LinderoTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libraries)
endfunction()

# The same, if the current folder is in one of those.
function(lindero_install_library name)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE folder)
  if(folder MATCHES "^(runtime|ir|passes|compiler)(/|$)")
    lindero_install_target(${name})
  endif()
endfunction()

# Called once, at the end.
function(lindero_install_package)
  foreach(folder IN ITEMS runtime ir passes compiler)
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}" DESTINATION "${LINDERO_INCLUDE_FOLDER}" COMPONENT libraries
      FILES_MATCHING PATTERN "*.h" PATTERN "*.inc" PATTERN "*.proto")
  endforeach()
  install(EXPORT LinderoTargets NAMESPACE Lindero:: DESTINATION "${LINDERO_CONFIG_FOLDER}" COMPONENT libraries)
  configure_package_config_file("${PROJECT_SOURCE_DIR}/tools/cmake/LinderoConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/LinderoConfig.cmake"
    INSTALL_DESTINATION "${LINDERO_CONFIG_FOLDER}"
    PATH_VARS CMAKE_INSTALL_BINDIR)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/LinderoConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/LinderoConfig.cmake"
    "${PROJECT_BINARY_DIR}/LinderoConfigVersion.cmake"
    "${PROJECT_SOURCE_DIR}/tools/cmake/LinderoLibraries.cmake"
    "${PROJECT_SOURCE_DIR}/tools/cmake/LinderoPlugin.cmake"
    "${PROJECT_SOURCE_DIR}/tools/cmake/FindMPFR.cmake"
    DESTINATION "${LINDERO_CONFIG_FOLDER}" COMPONENT libraries)
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT libraries)
endfunction()
