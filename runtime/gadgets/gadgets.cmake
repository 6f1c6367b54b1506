# What running and cheating each gadget means: sources of lindero_trace and of lindero_tamper.
foreach(gadget argmax embeddings norms products results softmax steps)
  list(APPEND LINDERO_GADGET_KERNELS ${CMAKE_CURRENT_LIST_DIR}/${gadget}/run.cc)
endforeach()
foreach(gadget argmax embeddings norms results softmax)
  list(APPEND LINDERO_GADGET_CHEATS ${CMAKE_CURRENT_LIST_DIR}/${gadget}/cheats.cc)
endforeach()
