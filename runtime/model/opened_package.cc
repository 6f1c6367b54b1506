#include "runtime/model/opened_package.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/error/error.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"
#include "runtime/tokenizer/tokenizer.h"

namespace lindero::runtime {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostReport = 1 << 30;

absl::StatusOr<ModelFacts> readFacts(const std::string& package) {
  std::string path = absl::StrCat(package, "/", kReportFile);
  absl::StatusOr<std::string> text = readFile(path, kMostReport);
  if (!text.ok()) return withError(text.status(), Error::kPackage);
  auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
  absl::StatusOr<ModelFacts> facts = modelFactsFromJson(
      json.is_object() ? json.value("model", nlohmann::ordered_json()) : nlohmann::ordered_json());
  if (facts.ok()) return facts;
  return failure(Error::kPackage,
                 absl::StrCat(path, ": ", facts.status().message(), "; compile the model again"));
}

}  // namespace

absl::StatusOr<OpenedPackage> openPackage(const std::string& home, int64_t bucket) {
  const std::string path = bucket > 0 ? bucketFolder(home, bucket) : home;
  std::error_code code;
  auto has = [&](const char* file) { return fs::exists(absl::StrCat(path, "/", file), code); };
  if (fs::is_directory(path, code) && !has(kCircuitFile) && !has(kBundleFile)) {
    return failure(Error::kPackage,
                   absl::StrCat(path, " is no circuit package: it has no ", kCircuitFile));
  }
  absl::StatusOr<BundlePackage> bundle = openBundle(path);
  if (!bundle.ok()) return withPackageError(bundle.status());
  LINDERO_ASSIGN_OR_RETURN(ModelFacts facts, readFacts(path));
  return OpenedPackage{home, path, *std::move(bundle), std::move(facts)};
}

std::vector<int64_t> bucketsOf(const std::string& home) {
  std::vector<int64_t> buckets = listBuckets(home);
  if (buckets.empty()) buckets = {0};
  return buckets;
}

std::string packageKey(const OpenedPackage& opened) {
  std::error_code code;
  std::string key = absl::StrCat(opened.home, "/", kKeyFile);
  return fs::is_regular_file(key, code) ? key : "";
}

std::string findTokenizer(const std::string& given, const std::string& model) {
  if (!given.empty()) return given;
  std::error_code code;
  fs::path beside = fs::path(model).parent_path() / kTokenizerFile;
  return fs::exists(beside, code) ? beside.string() : "";
}

}  // namespace lindero::runtime
