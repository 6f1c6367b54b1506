# What running and cheating each gadget means: sources of lindero_trace and of lindero_tamper. A new
# gadget's folder is found without a list.
file(GLOB LINDERO_GADGET_KERNELS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/run.cc)
file(GLOB LINDERO_GADGET_KERNEL_TESTS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/run_test.cc)
file(GLOB LINDERO_GADGET_CHEATS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/cheats.cc)
