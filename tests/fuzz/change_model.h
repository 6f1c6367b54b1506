// Structure-aware changes of ONNX models, for libFuzzer: what a mutator of bytes does not find
// through protobuf's lengths. Every change leaves a message that serializes; whether it is a valid
// model is for the importer to say.
#ifndef LINDERO_TESTS_FUZZ_CHANGE_MODEL_H_
#define LINDERO_TESTS_FUZZ_CHANGE_MODEL_H_

#include <random>
#include <string>
#include <vector>

#include "onnx/onnx_pb.h"

namespace lindero::fuzz {

using Random = std::mt19937_64;

// What external data may be said to lie in: names of files beside the model and beyond its folder.
using Locations = std::vector<std::string>;

// Makes one to three changes: of nodes, wires, attributes, shapes, types, weights, opsets, names,
// external data, functions and subgraphs, or of any field.
void changeModel(onnx::ModelProto& model, const Locations& locations, Random& random);

// Adds the nodes and weights of another model, with one wire between the two.
void graftModel(onnx::ModelProto& model, const onnx::ModelProto& other, Random& random);

}  // namespace lindero::fuzz

#endif  // LINDERO_TESTS_FUZZ_CHANGE_MODEL_H_
