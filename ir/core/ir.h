// The IR core: Module > Function > Op, in SSA form, for every dialect.
//
// A value is the result of an op or the argument of a block. An op names its definition (OpDef, one
// table per dialect), its operands, typed attributes, the ONNX nodes it came from (its location)
// and at most one nested block. Values of an enclosing block are visible inside a nested block; a
// nested block hands values out through its terminator only.
//
// Cost: an op is a few hundred bytes. Ownership: a module owns its functions, a function its body,
// a block its ops, an op its results and nested block. Uses are tracked, so replacing a value costs
// its number of uses; ops are kept in an intrusive list, so insertion and erasure are O(1). Weights
// are never in the IR: an attribute holds a handle (@name) into the module's constant pool.
// Breaking a documented precondition (an unknown op name, a missing attribute) ends the program
// with a message: it is a bug of the caller, never a property of its input.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ir/core/constant_pool.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/ilist.h"
#include "llvm/ADT/ilist_node.h"

namespace lindero::ir {

class Block;
class Function;
class Module;
class Op;
struct OpDef;

enum class Element : uint8_t {
  kFloat,  // f32: a real number (tensor dialect)
  kInt,    // i64: an index or id (tensor dialect)
  kBool,   // i1
  kFixed,  // an exact integer v that stands for v / 2^exponent, low <= v <= high (integer dialect)
  kBase,   // an element of the prime field (air dialect)
  kExt,    // an element of its extension (air dialect)
};

// Text: tensor<64x128xf32>, tensor<64xi64>, tensor<i1> (a scalar), base, ext,
// fixed<64x128, 2^-7, [-2048, 2047]>.
struct Type {
  Element element = Element::kFloat;
  llvm::SmallVector<int64_t, 4> shape;
  int32_t exponent = 0;       // kFixed
  int64_t low = 0, high = 0;  // kFixed, inclusive

  static Type tensor(Element element, llvm::ArrayRef<int64_t> shape);
  static Type fixed(llvm::ArrayRef<int64_t> shape, int32_t exponent, int64_t low, int64_t high);
  static Type base();
  static Type ext();

  int64_t elements() const;  // product of the shape
  bool operator==(const Type&) const;
};

// A reference to a symbol: a constant of the pool, a table, a bus. Text: @name.
struct Symbol {
  std::string name;
  bool operator==(const Symbol&) const = default;
};

// Text: 3, 0.5 (always with a point or exponent), "text", true, @w17, [1, 2], [0.5, 1.0], ["a",
// "b"].
using Attribute = std::variant<bool, int64_t, double, std::string, Symbol, std::vector<int64_t>,
                               std::vector<double>, std::vector<std::string>>;

using NamedAttribute = std::pair<llvm::StringRef, Attribute>;

// Names of the ONNX nodes that an op came from, in graph order, without duplicates.
using Location = llvm::SmallVector<std::string, 1>;

class Value {
 public:
  const Type& type() const { return type_; }
  void setType(Type type) { type_ = std::move(type); }
  // A hint for the printer (%name); unique names are made when printing.
  llvm::StringRef name() const { return name_; }
  void setName(llvm::StringRef name) { name_ = name.str(); }

  Op* definingOp() const { return op_; }        // null for a block argument
  Block* argumentOf() const { return block_; }  // null for a result
  unsigned index() const { return index_; }     // which result or argument

  // The ops that read this value, once per operand, in the order in which the uses were made.
  llvm::ArrayRef<Op*> users() const { return users_; }
  bool hasOneUse() const { return users_.size() == 1; }
  void replaceAllUsesWith(Value* other);

 private:
  friend class Builder;
  friend class Op;
  friend class Block;
  Value(Type type, Op* op, Block* block, unsigned index)
      : type_(std::move(type)), op_(op), block_(block), index_(index) {}
  Type type_;
  std::string name_;
  Op* op_;
  Block* block_;
  unsigned index_;
  llvm::SmallVector<Op*, 2> users_;
};

class Op : public llvm::ilist_node<Op> {
 public:
  ~Op();
  const OpDef& def() const { return *def_; }
  llvm::StringRef name() const;  // "tensor.matmul"
  bool is(llvm::StringRef name) const { return this->name() == name; }
  Block* parent() const { return parent_; }

  unsigned numOperands() const { return operands_.size(); }
  Value* operand(unsigned i) const { return operands_[i]; }
  llvm::ArrayRef<Value*> operands() const { return operands_; }
  void setOperand(unsigned i, Value* value);
  void setOperands(llvm::ArrayRef<Value*> values);

  unsigned numResults() const { return results_.size(); }
  Value* result(unsigned i = 0) const { return results_[i].get(); }

  // Attributes keep the order of their insertion; the printer sorts by name.
  llvm::ArrayRef<NamedAttribute> attributes() const { return attributes_; }
  const Attribute* find(llvm::StringRef name) const;
  bool has(llvm::StringRef name) const { return find(name) != nullptr; }
  void set(llvm::StringRef name,
           Attribute value);  // a name that OpDef does not list must outlive the op
  void remove(llvm::StringRef name);
  // Typed access; the attribute must exist with this type (the verifier guarantees it for required
  // ones).
  int64_t intAttr(llvm::StringRef name) const;
  double floatAttr(llvm::StringRef name) const;
  bool boolAttr(llvm::StringRef name) const;
  const std::string& stringAttr(llvm::StringRef name) const;
  const std::string& symbolAttr(llvm::StringRef name) const;
  llvm::ArrayRef<int64_t> intsAttr(llvm::StringRef name) const;
  int64_t intAttrOr(llvm::StringRef name, int64_t fallback) const;

  const Location& location() const { return location_; }
  void setLocation(Location location) { location_ = std::move(location); }
  void addLocation(const Location& other);  // union, in order

  Block* block() const { return block_.get(); }  // the nested block, or null

  // Unlinks from the parent and destroys; no result may have users.
  void erase();
  // Into any block of the same function; the only ways to move an op (a splice of the list would
  // lose track of parents).
  void moveBefore(Op* other);
  void moveToEnd(Block* block);

 private:
  friend class Builder;
  friend class Block;
  friend class Value;
  friend struct llvm::ilist_alloc_traits<Op>;
  Op() = default;
  const OpDef* def_ = nullptr;
  Block* parent_ = nullptr;
  llvm::SmallVector<Value*, 4> operands_;
  llvm::SmallVector<std::unique_ptr<Value>, 1> results_;
  llvm::SmallVector<NamedAttribute, 2> attributes_;
  Location location_;
  std::unique_ptr<Block> block_;
};

class Block {
 public:
  using OpList = llvm::iplist<Op>;
  ~Block();
  Op* parentOp() const { return parent_op_; }  // null for a function body
  Function* function() const;                  // the function that contains this block
  llvm::ArrayRef<std::unique_ptr<Value>> arguments() const { return arguments_; }
  Value* addArgument(Type type, llvm::StringRef name);
  OpList& ops() { return ops_; }
  const OpList& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }
  Op* terminator();  // the last op if it is a terminator, else null
  const Op* terminator() const { return const_cast<Block*>(this)->terminator(); }

 private:
  friend class Builder;
  friend class Function;
  friend class Op;
  Op* parent_op_ = nullptr;
  Function* parent_function_ = nullptr;
  std::vector<std::unique_ptr<Value>> arguments_;
  OpList ops_;
};

// func @name(%a: type, ...) -> (types) { body }. The body ends in a terminator (`tensor.return` and
// its kin).
class Function {
 public:
  Function(Module* module, std::string name);
  ~Function();
  const std::string& name() const { return name_; }
  Module* module() const { return module_; }
  Block& body() { return *body_; }
  const Block& body() const { return *body_; }

 private:
  Module* module_;
  std::string name_;
  std::unique_ptr<Block> body_;
};

class Module {
 public:
  Module();
  ~Module();
  Function* addFunction(llvm::StringRef name);
  Function* findFunction(llvm::StringRef name) const;  // null if there is none
  void eraseFunction(Function* function);
  llvm::ArrayRef<std::unique_ptr<Function>> functions() const { return functions_; }
  ConstantPool& constants() { return *constants_; }
  const ConstantPool& constants() const { return *constants_; }
  // The op types of ONNX nodes, by the nodes' names: how messages call the nodes of a location. No
  // part of the text form.
  void setNodeTypes(std::map<std::string, std::string> types) { node_types_ = std::move(types); }
  const std::map<std::string, std::string>& nodeTypes() const { return node_types_; }

 private:
  std::map<std::string, std::string> node_types_;
  std::unique_ptr<ConstantPool> constants_;
  std::vector<std::unique_ptr<Function>> functions_;
};

// Makes ops at an insertion point. Ops that it makes get its location (settable).
class Builder {
 public:
  explicit Builder(Block* block) : block_(block), before_(nullptr) {}  // at the end
  static Builder before(Op* op);
  static Builder after(Op* op);
  void setLocation(Location location) { location_ = std::move(location); }

  // `name` must be in an op table; asserts otherwise. An op whose definition has a block gets an
  // empty one.
  Op* create(llvm::StringRef name, llvm::ArrayRef<Value*> operands, llvm::ArrayRef<Type> results,
             llvm::ArrayRef<NamedAttribute> attributes = {});
  // The same, for ops of one result.
  Value* value(llvm::StringRef name, llvm::ArrayRef<Value*> operands, Type result,
               llvm::ArrayRef<NamedAttribute> attributes = {});
  Block* block() const { return block_; }

 private:
  Block* block_;
  Op* before_;
  Location location_;
};

// Visits all ops of the block, nested ones before the op that holds them. The visited op may be
// erased.
void walk(Block& block, llvm::function_ref<void(Op*)> visit);
void walk(const Block& block, llvm::function_ref<void(const Op&)> visit);

}  // namespace lindero::ir
