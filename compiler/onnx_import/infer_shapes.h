// The ONNX library's shape inference, in bounded time and memory.
//
// To follow arithmetic on shapes, the library holds each integer of every vector that an Add, a
// Concat and the like reads as a message of its own: of a vector of 2^40 elements, too, for which a
// file needs a few bytes. Here longer vectors than any shape are not followed.
#pragma once

#include "onnx/onnx_pb.h"

namespace lindero::compiler {

// Adds what is inferred to the graph's value_info, and takes the blanks out of Einsum's equations.
// Throws what the library throws, and where an equation is none.
void inferShapes(onnx::ModelProto& model);

}  // namespace lindero::compiler
