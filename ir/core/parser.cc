#include <limits>
#include <utility>

#include "ir/core/lexer.h"
#include "ir/core/op_table.h"
#include "ir/core/parse_type.h"
#include "ir/core/text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace lindero::ir {

namespace {

// Recursion in the parser (and in all that walks IR) is bounded by this.
constexpr unsigned kMaxDepth = 64;

// All methods return false after an error; the lexer keeps the first one.
class Parser {
 public:
  Parser(llvm::StringRef text, const ParseOptions& options)
      : lexer_(text, options.file), options_(options), module_(std::make_unique<Module>()) {}

  absl::StatusOr<std::unique_ptr<Module>> parseModule() {
    while (lexer_.eat("constant")) {
      if (!parseConstant()) return lexer_.status();
    }
    while (lexer_.eat("func")) {
      if (!parseFunction()) return lexer_.status();
    }
    if (!lexer_.atEnd()) lexer_.failExpected("'func'");
    if (lexer_.failed()) return lexer_.status();
    return std::move(module_);
  }

  absl::StatusOr<Type> parseTypeOnly() {
    Type type;
    if (!parseType(lexer_, type) ||
        (!lexer_.atEnd() && !lexer_.failExpected("nothing after the type"))) {
      return lexer_.status();
    }
    return type;
  }

 private:
  // ---- constants

  bool parseConstant() {
    size_t start = lexer_.position();
    Constant constant;
    size_t scalar_start = 0;
    llvm::StringRef scalar;
    if (!lexer_.expect("@") || !lexer_.name(constant.name, "the name of a constant") ||
        !lexer_.expect(":")) {
      return false;
    }
    scalar_start = lexer_.position();
    if (!lexer_.identifier(scalar, "a scalar type")) return false;
    std::optional<Scalar> known = scalarFromName(scalar);
    if (!known) {
      return lexer_.fail(scalar_start, "no scalar type is named '" + scalar +
                                           "'; known are f32, f64, i64, i32, i16, i8, u8, bool");
    }
    constant.scalar = *known;
    if (!lexer_.expect("[") || !parseSizes(lexer_, constant.shape) || !lexer_.expect("]"))
      return false;
    if (module_->constants().find(constant.name)) {
      return lexer_.fail(start, "@" + constant.name + " is declared twice");
    }
    return lexer_.eat("=") ? parseValues(constant) : loadConstant(std::move(constant), start);
  }

  bool loadConstant(Constant constant, size_t start) {
    llvm::StringRef digest;
    if (!lexer_.expect("sha256") || !lexer_.expect(":") || !lexer_.hex(digest)) return false;
    if (digest.size() != 64) return lexer_.failExpected("64 lower-case hexadecimal digits");
    constant.declareSha256(digest.str());
    if (options_.load) {
      absl::StatusOr<Constant> loaded = options_.load(constant);
      if (!loaded.ok()) return lexer_.fail(start, std::string(loaded.status().message()));
      constant = *std::move(loaded);
    }
    module_->constants().add(std::move(constant));
    return true;
  }

  // The elements of a small constant, written out.
  bool parseValues(const Constant& constant) {
    switch (constant.scalar) {
      case Scalar::kF32:
        return parseFloats<float>(constant);
      case Scalar::kF64:
        return parseFloats<double>(constant);
      case Scalar::kI64:
        return parseIntegers<int64_t>(constant);
      case Scalar::kI32:
        return parseIntegers<int32_t>(constant);
      case Scalar::kI16:
        return parseIntegers<int16_t>(constant);
      case Scalar::kI8:
        return parseIntegers<int8_t>(constant);
      case Scalar::kU8:
      case Scalar::kBool:
        return parseIntegers<uint8_t>(constant);
    }
    return false;
  }

  template <typename T>
  bool parseFloats(const Constant& constant) {
    std::vector<T> values;
    return parseList([&] {
             double value = 0;
             if (!lexer_.number(value)) return false;
             values.push_back(static_cast<T>(value));
             return true;
           }) &&
           addValues(constant, std::move(values));
  }

  template <typename T>
  bool parseIntegers(const Constant& constant) {
    const int64_t low = std::numeric_limits<T>::min();
    const int64_t high = constant.scalar == Scalar::kBool ? 1 : std::numeric_limits<T>::max();
    std::vector<T> values;
    return parseList([&] {
             size_t start = lexer_.position();
             int64_t value = 0;
             if (!lexer_.integer(value, "an integer")) return false;
             if (value < low || value > high) {
               return lexer_.fail(start, llvm::Twine(value) + " is not in the range of " +
                                             scalarName(constant.scalar) + ", [" +
                                             llvm::Twine(low) + ", " + llvm::Twine(high) + "]");
             }
             values.push_back(static_cast<T>(value));
             return true;
           }) &&
           addValues(constant, std::move(values));
  }

  template <typename T>
  bool addValues(const Constant& declared, std::vector<T> values) {
    if (values.size() != static_cast<size_t>(declared.elements())) {
      return lexer_.fail(lexer_.position(),
                         "@" + declared.name + " has " + llvm::Twine(declared.elements()) +
                             " elements, but " + llvm::Twine(values.size()) + " are listed");
    }
    Constant constant = declared;
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    constant.bytes = {reinterpret_cast<const uint8_t*>(owner->data()), owner->size() * sizeof(T)};
    constant.owner = std::move(owner);
    module_->constants().add(std::move(constant));
    return true;
  }

  // ---- functions, blocks, ops

  bool parseFunction() {
    size_t start = lexer_.position();
    std::string name;
    if (!lexer_.expect("@") || !lexer_.name(name, "the name of a function")) return false;
    if (module_->findFunction(name)) return lexer_.fail(start, "@" + name + " is defined twice");
    Function* function = module_->addFunction(name);
    names_.clear();
    defined_.clear();
    std::vector<Type> declared;
    if (!lexer_.expect("(") || !parseArguments(function->body())) return false;
    size_t results = lexer_.position();
    if (lexer_.eat("->") && !parseResultTypes(declared)) return false;
    if (!parseOps(function->body(), 1)) return false;

    const Op* last = function->body().terminator();
    std::vector<Type> returned;
    if (last) {
      for (const Value* value : last->operands()) returned.push_back(value->type());
    }
    if (declared == returned) return true;
    auto text = [](const std::vector<Type>& types) {
      return "(" +
             llvm::join(llvm::map_range(types, [](const Type& t) { return toText(t); }), ", ") +
             ")";
    };
    return lexer_.fail(results, "@" + name + " is declared to return " + text(declared) +
                                    ", but its body returns " + text(returned));
  }

  bool parseResultTypes(std::vector<Type>& types) {
    if (!lexer_.eat("(")) return parseType(lexer_, types.emplace_back());
    do {
      if (!parseType(lexer_, types.emplace_back())) return false;
    } while (lexer_.eat(","));
    return lexer_.expect(")");
  }

  // `%a: type, %b: type` and the closing parenthesis.
  bool parseArguments(Block& block) {
    if (lexer_.eat(")")) return true;
    do {
      std::string name;
      Type type;
      size_t start = lexer_.position();
      if (!lexer_.expect("%") || !parseValueName(name) || !lexer_.expect(":") ||
          !parseType(lexer_, type) ||
          !define(start, name, block.addArgument(std::move(type), hint(name)))) {
        return false;
      }
    } while (lexer_.eat(","));
    return lexer_.expect(")");
  }

  bool parseOps(Block& block, unsigned depth) {
    if (depth > kMaxDepth) {
      return lexer_.fail(lexer_.position(), "blocks nest deeper than " + llvm::Twine(kMaxDepth));
    }
    if (!lexer_.expect("{")) return false;
    while (!lexer_.eat("}")) {
      if (!parseOp(block, depth)) return false;
    }
    return true;
  }

  bool parseNestedBlock(Block& block, unsigned depth) {
    std::vector<Name*> outer = std::exchange(defined_, {});
    if (lexer_.eat("(") && !parseArguments(block)) return false;
    if (!parseOps(block, depth)) return false;
    // What the block defines keeps its name, for names are unique in a function, but cannot be seen
    // from outside.
    for (Name* name : defined_) name->second = nullptr;
    defined_ = std::move(outer);
    return true;
  }

  struct ResultName {
    size_t position;
    std::string name;
  };

  bool parseOp(Block& block, unsigned depth) {
    llvm::SmallVector<ResultName, 2> results;
    if (!parseResultNames(results)) return false;
    size_t start = lexer_.position();
    llvm::StringRef op_name;
    if (!lexer_.identifier(op_name, "an op or '}'")) return false;
    const OpDef* def = findOpDef(op_name);
    if (!def) return failUnknownOp(start, op_name);

    llvm::SmallVector<Value*, 4> operands;
    if (!parseOperands(operands)) return false;
    // Result types come last: they are set when they are known.
    llvm::SmallVector<Type, 2> types(results.size());
    Op* op = Builder(&block).create(op_name, operands, types);
    if (lexer_.peek() == '{' && (!def->has_block || attributesFollow())) {
      if (!parseAttributes(*op)) return false;
    }
    if (def->has_block && !parseNestedBlock(*op->block(), depth + 1)) return false;
    return parseResults(*op, results) && parseLocation(*op);
  }

  bool parseResultNames(llvm::SmallVectorImpl<ResultName>& results) {
    if (lexer_.peek() != '%') return true;
    do {
      ResultName& result = results.emplace_back();
      result.position = lexer_.position();
      if (!lexer_.expect("%") || !parseValueName(result.name)) return false;
    } while (lexer_.eat(","));
    return lexer_.expect("=");
  }

  bool parseOperands(llvm::SmallVectorImpl<Value*>& operands) {
    if (!lexer_.eat("(") || lexer_.eat(")")) return !lexer_.failed();
    do {
      size_t start = lexer_.position();
      std::string name;
      if (!lexer_.expect("%") || !parseValueName(name)) return false;
      auto it = names_.find(name);
      if (it == names_.end())
        return lexer_.fail(start, shown(name) + " is not defined before its use");
      if (!it->second) {
        return lexer_.fail(start,
                           shown(name) + " is defined in a nested block and cannot be seen here");
      }
      operands.push_back(it->second);
    } while (lexer_.eat(","));
    return lexer_.expect(")");
  }

  bool parseResults(Op& op, llvm::ArrayRef<ResultName> results) {
    if (!results.empty() && !lexer_.expect(":")) return false;
    for (unsigned i = 0; i < results.size(); ++i) {
      Type type;
      if ((i && !lexer_.expect(",")) || !parseType(lexer_, type)) return false;
      op.result(i)->setType(std::move(type));
      op.result(i)->setName(hint(results[i].name));
      if (!define(results[i].position, results[i].name, op.result(i))) return false;
    }
    return true;
  }

  bool parseLocation(Op& op) {
    if (!lexer_.eat("loc")) return !lexer_.failed();
    Location location;
    return lexer_.expect("(") &&
           parseSequence(")", [&] { return lexer_.string(location.emplace_back()); }) &&
           (op.setLocation(std::move(location)), true);
  }

  bool failUnknownOp(size_t position, llvm::StringRef name) {
    constexpr unsigned kCloseEnough = 3;
    unsigned best = kCloseEnough + 1;
    llvm::StringRef nearest;
    for (const OpDef* def : allOpDefs()) {
      unsigned distance = name.edit_distance(def->name, true, kCloseEnough);
      if (distance < best) std::tie(best, nearest) = std::pair(distance, def->name);
    }
    if (nearest.empty()) return lexer_.fail(position, "no op is named '" + name + "'");
    return lexer_.fail(position, "no op is named '" + name + "'; did you mean '" + nearest + "'?");
  }

  // ---- values

  using Name = llvm::StringMapEntry<Value*>;

  // Numbers and hints are apart: %0 has no hint, %"0" has the hint "0". The first character says
  // which it is.
  bool parseValueName(std::string& name) {
    bool number = lexer_.nextIsDigit();
    if (!lexer_.name(name, "the name of a value")) return false;
    name.insert(0, number ? "#" : "%");
    return true;
  }
  static llvm::StringRef hint(llvm::StringRef name) {
    return name[0] == '#' ? llvm::StringRef() : name.drop_front();
  }
  static std::string shown(llvm::StringRef name) { return ("%" + name.drop_front()).str(); }

  bool define(size_t position, const std::string& name, Value* value) {
    auto [it, fresh] = names_.try_emplace(name, value);
    if (!fresh) return lexer_.fail(position, shown(name) + " is defined twice");
    defined_.push_back(&*it);
    return true;
  }

  // ---- attributes

  bool attributesFollow() {
    size_t start = lexer_.position();
    bool found = lexer_.eat("{") && lexer_.peekAttribute();
    lexer_.rewind(start);
    return found;
  }

  bool parseAttributes(Op& op) {
    return lexer_.expect("{") && parseSequence("}", [&] { return parseNamedAttribute(op); });
  }

  bool parseNamedAttribute(Op& op) {
    size_t start = lexer_.position();
    llvm::StringRef name;
    if (!lexer_.identifier(name, "an attribute")) return false;
    const AttrSpec* spec = op.def().attribute(name);
    if (!spec) {
      std::string known = llvm::join(
          llvm::map_range(op.def().attributes, [](const AttrSpec& a) { return a.name.str(); }),
          ", ");
      return lexer_.fail(start, op.name() + " has no attribute '" + name + "'; it has " +
                                    (known.empty() ? "none" : known));
    }
    if (op.has(name)) return lexer_.fail(start, "attribute '" + name + "' is given twice");
    Attribute value;
    if (!lexer_.expect("=") || !parseAttribute(spec->kind, value)) return false;
    op.set(spec->name, std::move(value));
    return true;
  }

  bool parseAttribute(AttrKind kind, Attribute& value) {
    switch (kind) {
      case AttrKind::kBool:
        return parseBool(value);
      case AttrKind::kInt:
        return lexer_.integer(value.emplace<int64_t>(), "an integer");
      case AttrKind::kFloat:
        return lexer_.number(value.emplace<double>());
      case AttrKind::kString:
        return lexer_.string(value.emplace<std::string>());
      case AttrKind::kSymbol:
      case AttrKind::kConstant:
        return parseSymbol(kind, value.emplace<Symbol>());
      case AttrKind::kInts: {
        auto& list = value.emplace<std::vector<int64_t>>();
        return parseList([&] { return lexer_.integer(list.emplace_back(), "an integer"); });
      }
      case AttrKind::kFloats: {
        auto& list = value.emplace<std::vector<double>>();
        return parseList([&] { return lexer_.number(list.emplace_back()); });
      }
      case AttrKind::kStrings: {
        auto& list = value.emplace<std::vector<std::string>>();
        return parseList([&] { return lexer_.string(list.emplace_back()); });
      }
    }
    return false;
  }

  bool parseBool(Attribute& value) {
    bool is_true = lexer_.eat("true");
    value = is_true;
    return is_true || lexer_.eat("false") || lexer_.failExpected("true or false");
  }

  bool parseSymbol(AttrKind kind, Symbol& symbol) {
    size_t start = lexer_.position();
    if (!lexer_.expect("@") || !lexer_.name(symbol.name, "a name")) return false;
    if (kind == AttrKind::kConstant && !module_->constants().find(symbol.name)) {
      return lexer_.fail(start, "no constant is declared as @" + symbol.name +
                                    "; constants are listed at the head of the module");
    }
    return true;
  }

  template <typename ParseItem>
  bool parseList(ParseItem parse_item) {
    return lexer_.expect("[") && parseSequence("]", parse_item);
  }

  // Items separated by commas, up to and with `close`.
  template <typename ParseItem>
  bool parseSequence(llvm::StringRef close, ParseItem parse_item) {
    if (lexer_.eat(close)) return true;
    do {
      if (!parse_item()) return false;
    } while (lexer_.eat(","));
    return lexer_.expect(close);
  }

  Lexer lexer_;
  const ParseOptions& options_;
  std::unique_ptr<Module> module_;
  llvm::StringMap<Value*> names_;  // of the current function; null if out of sight
  std::vector<Name*> defined_;     // in the current block
};

}  // namespace

absl::StatusOr<std::unique_ptr<Module>> parse(llvm::StringRef text, const ParseOptions& options) {
  return Parser(text, options).parseModule();
}

absl::StatusOr<Type> parseType(llvm::StringRef text) { return Parser(text, {}).parseTypeOnly(); }

}  // namespace lindero::ir
