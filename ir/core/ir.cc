#include "ir/core/ir.h"

#include <algorithm>
#include <cassert>

#include "ir/core/op_table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/ErrorHandling.h"

namespace lindero::ir {

Type Type::tensor(Element element, llvm::ArrayRef<int64_t> shape) {
  Type type;
  type.element = element;
  type.shape.assign(shape.begin(), shape.end());
  return type;
}

Type Type::fixed(llvm::ArrayRef<int64_t> shape, int32_t exponent, int64_t low, int64_t high) {
  Type type = tensor(Element::kFixed, shape);
  type.exponent = exponent;
  type.low = low;
  type.high = high;
  return type;
}

Type Type::base() { return tensor(Element::kBase, {}); }
Type Type::ext() { return tensor(Element::kExt, {}); }

int64_t Type::elements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

bool Type::operator==(const Type& other) const {
  return element == other.element && shape == other.shape && exponent == other.exponent &&
         low == other.low && high == other.high;
}

void Value::replaceAllUsesWith(Value* other) {
  if (other == this) return;
  for (Op* user : users_) {
    // An op is listed once per operand: its first visit replaces all of them.
    for (Value*& operand : user->operands_) {
      if (operand != this) continue;
      operand = other;
      other->users_.push_back(user);
    }
  }
  users_.clear();
}

namespace {

// From the back: blocks are torn down in reverse, so the use to drop is usually the last one.
void dropUse(llvm::SmallVectorImpl<Op*>& users, Op* user) {
  auto it = std::find(users.rbegin(), users.rend(), user);
  assert(it != users.rend());
  users.erase(std::next(it).base());
}

// Lets the ops of a block be destroyed in any order.
void dropOperands(Block& block) {
  for (Op& op : llvm::reverse(block.ops())) {
    if (op.block()) dropOperands(*op.block());
    op.setOperands({});
  }
}

template <typename T>
const T& typedAttribute(const Op& op, llvm::StringRef name) {
  const Attribute* attribute = op.find(name);
  const T* value = attribute ? std::get_if<T>(attribute) : nullptr;
  if (!value) {
    llvm::report_fatal_error(llvm::Twine(describe(op)) + ": attribute '" + name +
                             "' is missing or of another kind; was the op verified?");
  }
  return *value;
}

}  // namespace

Op::~Op() {
  setOperands({});
  block_.reset();
}

llvm::StringRef Op::name() const { return def_->name; }

void Op::setOperand(unsigned i, Value* value) {
  dropUse(operands_[i]->users_, this);
  operands_[i] = value;
  value->users_.push_back(this);
}

void Op::setOperands(llvm::ArrayRef<Value*> values) {
  // A copy, for `values` may be a part of operands_.
  llvm::SmallVector<Value*, 4> replacement(values.begin(), values.end());
  for (Value* operand : llvm::reverse(operands_)) dropUse(operand->users_, this);
  for (Value* value : replacement) value->users_.push_back(this);
  operands_ = std::move(replacement);
}

const Attribute* Op::find(llvm::StringRef name) const {
  for (const NamedAttribute& attribute : attributes_) {
    if (attribute.first == name) return &attribute.second;
  }
  return nullptr;
}

void Op::set(llvm::StringRef name, Attribute value) {
  for (NamedAttribute& attribute : attributes_) {
    if (attribute.first != name) continue;
    attribute.second = std::move(value);
    return;
  }
  const AttrSpec* spec = def_->attribute(name);
  attributes_.emplace_back(spec ? spec->name : name, std::move(value));
}

void Op::remove(llvm::StringRef name) {
  llvm::erase_if(attributes_, [&](const NamedAttribute& a) { return a.first == name; });
}

int64_t Op::intAttr(llvm::StringRef name) const { return typedAttribute<int64_t>(*this, name); }
double Op::floatAttr(llvm::StringRef name) const { return typedAttribute<double>(*this, name); }
bool Op::boolAttr(llvm::StringRef name) const { return typedAttribute<bool>(*this, name); }

const std::string& Op::stringAttr(llvm::StringRef name) const {
  return typedAttribute<std::string>(*this, name);
}

const std::string& Op::symbolAttr(llvm::StringRef name) const {
  return typedAttribute<Symbol>(*this, name).name;
}

llvm::ArrayRef<int64_t> Op::intsAttr(llvm::StringRef name) const {
  return typedAttribute<std::vector<int64_t>>(*this, name);
}

int64_t Op::intAttrOr(llvm::StringRef name, int64_t fallback) const {
  return has(name) ? intAttr(name) : fallback;
}

void Op::addLocation(const Location& other) {
  for (const std::string& node : other) {
    if (!llvm::is_contained(location_, node)) location_.push_back(node);
  }
}

void Op::erase() {
  assert(llvm::all_of(results_, [](const auto& result) { return result->users().empty(); }));
  parent_->ops_.erase(this);
}

void Op::moveBefore(Op* other) {
  if (other == this) return;
  other->parent_->ops_.splice(other->getIterator(), parent_->ops_, getIterator());
  parent_ = other->parent_;
}

void Op::moveToEnd(Block* block) {
  block->ops_.splice(block->ops_.end(), parent_->ops_, getIterator());
  parent_ = block;
}

Block::~Block() {
  dropOperands(*this);
  ops_.clear();
}

Function* Block::function() const {
  const Block* block = this;
  while (block->parent_op_) block = block->parent_op_->parent();
  return block->parent_function_;
}

Value* Block::addArgument(Type type, llvm::StringRef name) {
  arguments_.emplace_back(new Value(std::move(type), nullptr, this, arguments_.size()));
  arguments_.back()->setName(name);
  return arguments_.back().get();
}

Op* Block::terminator() {
  return !ops_.empty() && ops_.back().def().terminator ? &ops_.back() : nullptr;
}

Function::Function(Module* module, std::string name)
    : module_(module), name_(std::move(name)), body_(std::make_unique<Block>()) {
  body_->parent_function_ = this;
}

Function::~Function() = default;

Module::Module() : constants_(std::make_unique<ConstantPool>()) {}
Module::~Module() = default;

Function* Module::addFunction(llvm::StringRef name) {
  functions_.push_back(std::make_unique<Function>(this, name.str()));
  return functions_.back().get();
}

Function* Module::findFunction(llvm::StringRef name) const {
  for (const auto& function : functions_) {
    if (function->name() == name) return function.get();
  }
  return nullptr;
}

void Module::eraseFunction(Function* function) {
  llvm::erase_if(functions_, [&](const auto& f) { return f.get() == function; });
}

Builder Builder::before(Op* op) {
  Builder builder(op->parent());
  builder.before_ = op;
  return builder;
}

Builder Builder::after(Op* op) {
  Builder builder(op->parent());
  auto next = std::next(op->getIterator());
  builder.before_ = next == op->parent()->ops().end() ? nullptr : &*next;
  return builder;
}

Op* Builder::create(llvm::StringRef name, llvm::ArrayRef<Value*> operands,
                    llvm::ArrayRef<Type> results, llvm::ArrayRef<NamedAttribute> attributes) {
  const OpDef* def = findOpDef(name);
  if (!def) llvm::report_fatal_error(llvm::Twine("no op is named '") + name + "'");
  Op* op = new Op;
  op->def_ = def;
  op->parent_ = block_;
  op->location_ = location_;
  op->setOperands(operands);
  for (const auto& [index, type] : llvm::enumerate(results)) {
    op->results_.emplace_back(new Value(type, op, nullptr, index));
  }
  for (const NamedAttribute& attribute : attributes) op->set(attribute.first, attribute.second);
  if (def->has_block) {
    op->block_ = std::make_unique<Block>();
    op->block_->parent_op_ = op;
  }
  block_->ops_.insert(before_ ? before_->getIterator() : block_->ops_.end(), op);
  return op;
}

Value* Builder::value(llvm::StringRef name, llvm::ArrayRef<Value*> operands, Type result,
                      llvm::ArrayRef<NamedAttribute> attributes) {
  return create(name, operands, result, attributes)->result();
}

void walk(Block& block, llvm::function_ref<void(Op*)> visit) {
  for (Op& op : llvm::make_early_inc_range(block.ops())) {
    if (op.block()) walk(*op.block(), visit);
    visit(&op);
  }
}

void walk(const Block& block, llvm::function_ref<void(const Op&)> visit) {
  for (const Op& op : block.ops()) {
    if (op.block()) walk(std::as_const(*op.block()), visit);
    visit(op);
  }
}

}  // namespace lindero::ir
