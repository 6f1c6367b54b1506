// The sizes and conditions that program.proto states of its steps' fields.
//
//   size      = term { ("+" | "-") term }
//   term      = factor { ("*" | "/" | "%") factor }       "/" leaves no remainder
//   factor    = ["-"] ( number ["^" number] | "(" size ")" | field
//             | "size(" field ")"                         elements of a buffer or public tensor
//             | "count(" field ")"                        elements of a list
//             | "ceil(" size "/" size ")" )
//   condition = size { ("<" | "<=" | "==") size }         a list's name stands for each of its
//   elements
//
// A field stands for its number, true for 1. The numbers are whoever's wrote the program:
// arithmetic is checked, what leaves 64 bits is an error, and nothing is allocated by their size.
#ifndef LINDERO_PROGRAM_EXPRESSION_H_
#define LINDERO_PROGRAM_EXPRESSION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace lindero::program {

using Field = google::protobuf::FieldDescriptor;

// What the names stand for.
class Values {
 public:
  virtual ~Values() = default;
  // `element` of a list, else ignored.
  virtual absl::StatusOr<int64_t> number(const Field& field, int element) const = 0;
  virtual absl::StatusOr<int64_t> size(const Field& field) const = 0;
  virtual int count(const Field& field) const = 0;
};

class Expression {
 public:
  // Of fields of this message; an error says what is wrong with the text.
  static absl::StatusOr<Expression> parse(absl::string_view text,
                                          const google::protobuf::Descriptor& message);

  absl::StatusOr<int64_t> evaluate(const Values& values, int element = 0) const;
  const std::string& text() const { return text_; }

 private:
  friend class Parser;
  friend class Condition;
  enum class Kind : uint8_t {
    kConstant,
    kNumber,
    kSize,
    kCount,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kCeil,
    kModulo
  };
  struct Node {
    Kind kind;
    int64_t constant = 0;
    const Field* field = nullptr;
    size_t left = 0, right = 0;  // nodes before this one
  };
  absl::StatusOr<int64_t> evaluate(const Node& node, const Values& values, int element) const;
  absl::StatusOr<int64_t> combine(Kind kind, int64_t left, int64_t right) const;

  std::string text_;
  std::vector<Node> nodes_;  // the last one is the whole
};

class Condition {
 public:
  static absl::StatusOr<Condition> parse(absl::string_view text,
                                         const google::protobuf::Descriptor& message);

  // An error says what the names stand for: "keys = 7, queries = 2".
  absl::Status check(const Values& values) const;
  const std::string& text() const { return text_; }

 private:
  friend class Parser;
  enum class Order : uint8_t { kLess, kLessOrEqual, kEqual };
  absl::StatusOr<bool> holds(const Values& values, int element) const;
  std::string describe(const Values& values, int element) const;

  std::string text_;
  std::vector<Expression> sides_;
  std::vector<Order> orders_;    // between them
  const Field* list_ = nullptr;  // the one that is named, if any
};

}  // namespace lindero::program

#endif  // LINDERO_PROGRAM_EXPRESSION_H_
