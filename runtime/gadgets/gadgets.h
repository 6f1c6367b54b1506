// The lists of what gadgets are at run time. A gadget's folder has
//   run.cc     kernels: the integer functions of its steps;
//   cheats.cc  the ways to cheat in it: cheats.h.
#ifndef LINDERO_RUNTIME_GADGETS_GADGETS_H_
#define LINDERO_RUNTIME_GADGETS_GADGETS_H_

// The messages of all kinds of steps (runtime/program/program.proto), each of which has a kernel.
#define LINDERO_STEP_KINDS(X) \
  X(Affine)                   \
  X(AppendRows)               \
  X(Argmax)                   \
  X(CopyElements)             \
  X(CopyRows)                 \
  X(Decode)                   \
  X(Divide)                   \
  X(Embedding)                \
  X(Input)                    \
  X(LayerNorm)                \
  X(LinkIn)                   \
  X(LinkOut)                  \
  X(Load)                     \
  X(Mask)                     \
  X(MatMul)                   \
  X(Multiply)                 \
  X(Output)                   \
  X(Requantize)               \
  X(Softmax)                  \
  X(TableLookup)              \
  X(WideLayerNorm)

// Gadgets that have cheats: argmaxCheats(), ...
#define LINDERO_CHEATED_GADGETS(X) \
  X(affine)                        \
  X(argmax)                        \
  X(copies)                        \
  X(divide)                        \
  X(embeddings)                    \
  X(multiply)                      \
  X(norms)                         \
  X(results)                       \
  X(softmax)                       \
  X(wide_norms)

#endif  // LINDERO_RUNTIME_GADGETS_GADGETS_H_
