// The order in which a graph's nodes are computed: each after those it needs. An explicit stack
// takes the place of recursion: a chain of ops may be long, and what many read is computed once.
#pragma once

#include <utility>
#include <vector>

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace lindero::ir {

// `needs` lists the nodes to compute before a node, without those known already.
template <typename Node>
std::vector<const Node*> postOrder(
    const Node* root,
    llvm::function_ref<void(const Node&, llvm::SmallVectorImpl<const Node*>&)> needs) {
  std::vector<const Node*> order;
  llvm::DenseSet<const Node*> entered;
  std::vector<std::pair<const Node*, bool>> work = {{root, false}};  // true: what it needs is done
  llvm::SmallVector<const Node*> needed;
  while (!work.empty()) {
    auto& [node, done] = work.back();
    const Node* here = node;
    if (done || !entered.insert(here).second) {
      if (done) order.push_back(here);
      work.pop_back();
      continue;
    }
    done = true;
    needed.clear();
    needs(*here, needed);
    for (const Node* next : needed) work.emplace_back(next, false);
  }
  return order;
}

}  // namespace lindero::ir
