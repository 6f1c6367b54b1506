// The polynomial identities that the rules of verify-air ask for, tested at random points.
//
// Cost: some kPoints evaluations of the expression each; the top form takes one per degree.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ir/air/points.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace lindero::passes {

class Identities {
 public:
  explicit Identities(const std::string& seed) : source_(seed) {}

  // Where variables have these values.
  bool isZero(const ir::Value* e,
              llvm::ArrayRef<std::pair<ir::air::Variable, uint32_t>> where = {});
  // e = y - s y or s y - y.
  bool isOffBy(const ir::Value* e, const ir::Value* y, const ir::Value* s);
  // e = s y + rest or rest - s y, where rest does not have y; null: s = 1.
  bool hasCoefficient(const ir::Value* e, const ir::Value* y, const ir::Value* s);
  // e = v + rest, or rest - v if either sign will do, where rest does not have v.
  bool hasCoefficientOne(const ir::Value* e, const ir::air::Variable& v, bool either_sign);
  // Where s is zero, e is the same for all y.
  bool isFreeOf(const ir::Value* e, const ir::Value* y, const ir::Value* s);
  // Whether e, as a polynomial in these challenges, has a top form that is a nonzero constant, of
  // degree 1 to kMaxTopDegree. No, if one of them stands below an air.inverse.
  bool hasConstantTop(const ir::Value* e, const std::vector<const ir::Value*>& challenges);

  static constexpr int kMaxTopDegree = 64;

 private:
  struct Top {
    int degree = 0;
    uint32_t coefficient = 0;
    bool operator==(const Top&) const = default;
  };
  // Whether the test holds at kPoints points. It answers nothing at one that will not do.
  bool atPoints(llvm::function_ref<std::optional<bool>(int point)> test);
  ir::air::Point point(int number) { return {source_, number}; }
  // A value for the variable that is not the point's.
  uint32_t otherValue(int point, const ir::air::Variable& v);
  std::optional<Top> top(const ir::Value* e, const std::vector<const ir::Value*>& challenges,
                         int degree, int directions, int point);

  ir::air::PointSource source_;
};

}  // namespace lindero::passes
