#include <charconv>
#include <cmath>

#include "ir/core/lexer.h"
#include "ir/core/op_table.h"
#include "ir/core/text.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace lindero::ir {

namespace {

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// Bytes from 0x80 on are kept: names are UTF-8.
void printQuoted(llvm::StringRef text, llvm::raw_ostream& os) {
  os << '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      os << '\\' << c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      os << '\\' << llvm::hexdigit(static_cast<unsigned char>(c) >> 4) << llvm::hexdigit(c & 15);
    } else {
      os << c;
    }
  }
  os << '"';
}

void printName(char sigil, llvm::StringRef name, llvm::raw_ostream& os) {
  os << sigil;
  if (isIdentifier(name)) {
    os << name;
  } else {
    printQuoted(name, os);
  }
}

// The shortest decimal that reads back as the same double, always with a point or exponent.
void printDouble(double value, llvm::raw_ostream& os) {
  char digits[32];
  llvm::StringRef text(digits, std::to_chars(digits, std::end(digits), value).ptr - digits);
  os << text;
  if (std::isfinite(value) && text.find_first_of(".e") == llvm::StringRef::npos) os << ".0";
}

void printShape(llvm::ArrayRef<int64_t> shape, llvm::raw_ostream& os) {
  llvm::interleave(shape, os, [&](int64_t size) { os << size; }, "x");
}

void printType(const Type& type, llvm::raw_ostream& os) {
  switch (type.element) {
    case Element::kBase:
      os << "base";
      return;
    case Element::kExt:
      os << "ext";
      return;
    case Element::kFixed:
      os << "fixed<";
      printShape(type.shape, os);
      if (!type.shape.empty()) os << ", ";
      os << "2^" << -int64_t{type.exponent} << ", [" << type.low << ", " << type.high << "]>";
      return;
    case Element::kFloat:
    case Element::kInt:
    case Element::kBool:
      break;
  }
  os << "tensor<";
  printShape(type.shape, os);
  if (!type.shape.empty()) os << "x";
  os << (type.element == Element::kFloat ? "f32>" : type.element == Element::kInt ? "i64>" : "i1>");
}

void printAttribute(const Attribute& attribute, llvm::raw_ostream& os) {
  auto list = [&](const auto& values, auto print) {
    os << "[";
    llvm::interleaveComma(values, os, print);
    os << "]";
  };
  auto quoted = [&](const std::string& text) { printQuoted(text, os); };
  std::visit(
      Overloaded{
          [&](bool value) { os << (value ? "true" : "false"); },
          [&](int64_t value) { os << value; },
          [&](double value) { printDouble(value, os); },
          quoted,
          [&](const Symbol& symbol) { printName('@', symbol.name, os); },
          [&](const std::vector<int64_t>& values) { list(values, [&](int64_t v) { os << v; }); },
          [&](const std::vector<double>& values) {
            list(values, [&](double v) { printDouble(v, os); });
          },
          [&](const std::vector<std::string>& values) { list(values, quoted); },
      },
      attribute);
}

class Printer {
 public:
  Printer(llvm::raw_ostream& os, const PrintOptions& options) : os_(os), options_(options) {}

  void printModule(const Module& module) {
    bool first = printConstants(module);
    for (const auto& function : module.functions()) {
      if (!first) os_ << "\n";
      first = false;
      printFunction(*function);
    }
  }

 private:
  bool printConstants(const Module& module) {
    llvm::SmallSetVector<const Constant*, 16> used;
    for (const auto& function : module.functions()) {
      walk(std::as_const(*function).body(), [&](const Op& op) {
        for (const AttrSpec& spec : op.def().attributes) {
          if (spec.kind != AttrKind::kConstant || !op.has(spec.name)) continue;
          if (const Constant* c = module.constants().find(op.symbolAttr(spec.name))) used.insert(c);
        }
      });
    }
    for (const Constant* constant : used) {
      os_ << "constant ";
      printName('@', constant->name, os_);
      os_ << " : " << scalarName(constant->scalar) << "[";
      printShape(constant->shape, os_);
      os_ << "]";
      if (options_.digests) os_ << " sha256:" << constant->sha256();
      os_ << "\n";
    }
    return used.empty();
  }

  void printFunction(const Function& function) {
    names_.clear();
    taken_.clear();
    next_suffix_.clear();
    next_number_ = 0;
    os_ << "func ";
    printName('@', function.name(), os_);
    os_ << "(";
    printArguments(function.body());
    os_ << ")";
    if (const Op* last = function.body().terminator(); last && last->numOperands()) {
      bool many = last->numOperands() > 1;
      os_ << (many ? " -> (" : " -> ");
      llvm::interleaveComma(last->operands(), os_, [&](Value* v) { printType(v->type(), os_); });
      if (many) os_ << ")";
    }
    os_ << " {\n";
    printOps(function.body(), 2);
    os_ << "}\n";
  }

  void printArguments(const Block& block) {
    llvm::interleaveComma(block.arguments(), os_, [&](const auto& argument) {
      os_ << define(*argument) << ": ";
      printType(argument->type(), os_);
    });
  }

  void printOps(const Block& block, unsigned indent) {
    for (const Op& op : block.ops()) printOp(op, indent);
  }

  void printOp(const Op& op, unsigned indent) {
    os_.indent(indent);
    bool has_arguments = op.block() && !op.block()->arguments().empty();
    for (unsigned i = 0; i < op.numResults(); ++i) {
      os_ << (i ? ", " : "") << define(*op.result(i));
    }
    os_ << (op.numResults() ? " = " : "") << op.name();
    // Without operands, their parentheses are kept only to tell block arguments from operands.
    if (op.numOperands() || has_arguments) {
      os_ << "(";
      llvm::interleaveComma(op.operands(), os_, [&](const Value* value) { os_ << nameOf(value); });
      os_ << ")";
    }
    printAttributes(op);
    if (op.block()) printBlock(*op.block(), indent);
    for (unsigned i = 0; i < op.numResults(); ++i) {
      os_ << (i ? ", " : " : ");
      printType(op.result(i)->type(), os_);
    }
    if (options_.locations && !op.location().empty()) {
      os_ << " loc(";
      llvm::interleaveComma(op.location(), os_,
                            [&](const std::string& node) { printQuoted(node, os_); });
      os_ << ")";
    }
    os_ << "\n";
  }

  void printAttributes(const Op& op) {
    if (op.attributes().empty()) return;
    llvm::SmallVector<const NamedAttribute*, 8> sorted;
    for (const NamedAttribute& attribute : op.attributes()) sorted.push_back(&attribute);
    llvm::sort(sorted, [](auto* a, auto* b) { return a->first < b->first; });
    os_ << " {";
    llvm::interleaveComma(sorted, os_, [&](const NamedAttribute* attribute) {
      os_ << attribute->first << " = ";
      printAttribute(attribute->second, os_);
    });
    os_ << "}";
  }

  void printBlock(const Block& block, unsigned indent) {
    if (!block.arguments().empty()) {
      os_ << " (";
      printArguments(block);
      os_ << ")";
    }
    os_ << " {\n";
    printOps(block, indent + 2);
    os_.indent(indent) << "}";
  }

  // Gives the value its name: its hint, made unique by a suffix, or the next number.
  llvm::StringRef define(const Value& value) {
    std::string& name = names_[&value];
    llvm::raw_string_ostream os(name);
    if (value.name().empty()) {
      os << '%' << next_number_++;
      return name;
    }
    std::string unique = value.name().str();
    if (!taken_.insert(unique).second) {
      unsigned& suffix = next_suffix_[value.name()];
      do {
        unique = (value.name() + "_" + llvm::Twine(++suffix)).str();
      } while (!taken_.insert(unique).second);
    }
    printName('%', unique, os);
    return name;
  }

  llvm::StringRef nameOf(const Value* value) const {
    auto it = names_.find(value);
    // Text of a malformed module is for a reader only; it does not parse.
    return it == names_.end() ? llvm::StringRef("%<not defined before>")
                              : llvm::StringRef(it->second);
  }

  llvm::raw_ostream& os_;
  PrintOptions options_;
  llvm::DenseMap<const Value*, std::string> names_;
  llvm::StringSet<> taken_;
  llvm::StringMap<unsigned> next_suffix_;
  unsigned next_number_ = 0;
};

}  // namespace

void print(const Module& module, llvm::raw_ostream& os, const PrintOptions& options) {
  Printer(os, options).printModule(module);
}

std::string toText(const Module& module, const PrintOptions& options) {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(module, os, options);
  return text;
}

std::string toText(const Type& type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printType(type, os);
  return text;
}

std::string toText(const Attribute& attribute) {
  std::string text;
  llvm::raw_string_ostream os(text);
  printAttribute(attribute, os);
  return text;
}

}  // namespace lindero::ir
