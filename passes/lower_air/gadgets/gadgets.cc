#include "passes/lower_air/gadgets/affine/affine.h"
#include "passes/lower_air/gadgets/argmax/argmax.h"
#include "passes/lower_air/gadgets/copies/copies.h"
#include "passes/lower_air/gadgets/divide/divide.h"
#include "passes/lower_air/gadgets/embeddings/embeddings.h"
#include "passes/lower_air/gadgets/gadget.h"
#include "passes/lower_air/gadgets/multiply/multiply.h"
#include "passes/lower_air/gadgets/norms/norms.h"
#include "passes/lower_air/gadgets/products/products.h"
#include "passes/lower_air/gadgets/relays/relays.h"
#include "passes/lower_air/gadgets/results/results.h"
#include "passes/lower_air/gadgets/softmax/softmax.h"
#include "passes/lower_air/gadgets/steps/steps.h"
#include "passes/lower_air/gadgets/wide_norms/wide_norms.h"

namespace lindero::passes {

std::vector<std::unique_ptr<Gadget>> makeGadgets(Wiring& wiring) {
  auto products = std::make_unique<Products>(wiring);
  auto embeddings = std::make_unique<Embeddings>(wiring, *products);
  auto results = std::make_unique<Results>(wiring, *products);
  auto softmax = std::make_unique<SoftmaxGadget>(wiring, *products);
  auto argmax = std::make_unique<Argmax>(wiring, *products);
  auto steps = std::make_unique<Steps>(wiring, *embeddings, *products, *results, *softmax, *argmax);
  std::vector<std::unique_ptr<Gadget>> gadgets;
  gadgets.push_back(std::move(embeddings));
  gadgets.push_back(makeWideNorms(wiring));
  gadgets.push_back(std::make_unique<Norms>(wiring));
  gadgets.push_back(makeMultiply(wiring));
  gadgets.push_back(makeDivide(wiring));
  gadgets.push_back(makeCopies(wiring));
  gadgets.push_back(std::move(products));
  gadgets.push_back(std::move(softmax));
  gadgets.push_back(std::move(results));
  gadgets.push_back(makeAffine(wiring));
  gadgets.push_back(std::move(argmax));
  gadgets.push_back(std::move(steps));
  gadgets.push_back(makeRelays(wiring));
  return gadgets;
}

}  // namespace lindero::passes
