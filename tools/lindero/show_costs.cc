#include "tools/lindero/show_costs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace lindero::cli {
namespace {

std::string withoutLayer(absl::string_view region) {
  absl::string_view rest = region;
  if (!absl::ConsumePrefix(&rest, "layer")) return std::string(region);
  size_t digits = std::min(rest.size(), rest.find_first_not_of("0123456789"));
  return digits == 0 ? std::string(region) : absl::StrCat("layer*", rest.substr(digits));
}

Json outputsJson(const passes::Comparison& found) {
  Json list = Json::array();
  for (const passes::OutputComparison& output : found.outputs) {
    const passes::RowSummary& rows = output.rows;
    Json json = {{"name", output.name}, {"shape", output.shape}};
    if (output.real) {
      json.update({{"rows", rows.rows},
                   {"zero_rows", rows.zero_rows},
                   {"not_finite_rows", rows.other_rows},
                   {"mean_cosine", rows.mean_cosine},
                   {"least_cosine", rows.least_cosine},
                   {"largest_row_error", rows.largest_error},
                   // Of zeros alone there is no measure: null.
                   {"zero_row_error", rows.zero_error}});
    } else {
      json.update(
          {{"elements", output.elements}, {"close", output.close}, {"unequal", output.unequal}});
    }
    list.push_back(std::move(json));
  }
  return list;
}

std::string asGood(int64_t close, const char* before, const char* after) {
  if (close == 0) return "";
  return absl::StrCat(before, withCommas(close), after,
                      " as good (what decides is within 1 % of its row's largest value)");
}

std::string outputText(const passes::OutputComparison& output) {
  if (!output.real) {
    return absl::StrCat(withCommas(output.elements - output.unequal - output.close), " of ",
                        withCommas(output.elements), " integers equal",
                        asGood(output.close, "; ", " others are"));
  }
  const passes::RowSummary& rows = output.rows;
  std::string text =
      absl::StrFormat("%s rows: cosine at least %.5f, error at most %.2f %%", withCommas(rows.rows),
                      rows.least_cosine, 100 * rows.largest_error);
  if (rows.zero_rows > 0) {
    absl::StrAppendFormat(&text, "; %d that are zero: off by %.2f %% of the largest row",
                          rows.zero_rows, 100 * rows.zero_error);
  }
  if (rows.other_rows > 0) {
    absl::StrAppend(&text, "; ", rows.other_rows,
                    " are not finite in the float model: not compared");
  }
  return text;
}

// The worst over all outputs.
std::string leastOf(const passes::Comparison& found) {
  int64_t unequal = 0, close = 0, integers = 0;
  bool real = false;
  for (const passes::OutputComparison& output : found.outputs) {
    unequal += output.unequal;
    close += output.close;
    integers += output.elements;
    real |= output.rows.rows > 0;
  }
  std::string text;
  if (real) {
    text = absl::StrFormat("cosine of a row at least %.5f, error at most %.2f %%",
                           found.least_cosine, 100 * found.largest_row_error);
  }
  if (integers > 0) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", withCommas(unequal + close), " of ",
                    withCommas(integers), " integers differ", asGood(close, ", ", " of them"));
  }
  if (found.rejected > 0 && found.rejected == found.samples) return "nothing to compare";
  return text.empty() ? "no row that is finite and not zero" : text;
}

}  // namespace

void addModel(const runtime::ModelFacts& facts, Summary& summary, bool all) {
  summary.add("model", "model", facts.file, facts.file);
  summary.addCount("parameters", "parameters", facts.parameters);
  if (all) summary.addData("facts", toJson(facts));
}

void addAgreement(const passes::Comparison& found, Summary& summary) {
  Json json = {{"windows", found.samples},           {"positions", found.rows},
               {"refused_windows", found.rejected},  {"top1_agreement", found.top1_agreement},
               {"divergence", found.divergence},     {"mean_cosine", found.mean_cosine},
               {"least_cosine", found.least_cosine}, {"largest_row_error", found.largest_row_error},
               {"outputs", outputsJson(found)}};
  std::string text;
  if (found.rows > 0) {
    text = absl::StrFormat("%.2f %% same top-1 over %s positions, cosine %.5f",
                           100 * found.top1_agreement, withCommas(found.rows), found.mean_cosine);
  }
  if (found.float_perplexity > 0) {
    json["float_perplexity"] = found.float_perplexity;
    json["integer_perplexity"] = found.integer_perplexity;
    absl::StrAppendFormat(&text, ", perplexity %+.2f %%", 100 * found.perplexityChange());
  }
  absl::StrAppend(&text, text.empty() ? "" : "; ", leastOf(found));
  if (found.rejected > 0) absl::StrAppend(&text, "; ", found.rejected, " windows out of range");
  summary.add("agreement", "agreement with float", std::move(json), std::move(text));
  for (const passes::OutputComparison& output : found.outputs)
    summary.addLine(absl::StrCat("  ", absl::Utf8SafeCEscape(output.name)), outputText(output));
}

const char* measuredOn(const compiler::ModelOptions& options) {
  return options.exponents.empty() ? "calibration samples" : "samples of our own";
}

void addMeasured(const passes::Comparison& found, const char* inputs, Summary& summary) {
  Json json = {{"samples", found.samples},
               {"inputs", inputs},
               {"refused_samples", found.rejected},
               {"least_cosine", found.least_cosine},
               {"largest_row_error", found.largest_row_error},
               {"outputs", outputsJson(found)}};
  summary.add("measured", "measured", std::move(json),
              absl::StrCat(leastOf(found), "; on ", found.samples - found.rejected, " ", inputs));
}

void addBuckets(const std::vector<compiler::BucketCost>& buckets, Summary& summary) {
  Summary::Rows rows;
  Json json = Json::array();
  for (const compiler::BucketCost& bucket : buckets) {
    const compiler::Estimate& estimate = bucket.estimate;
    rows.push_back({absl::StrCat(bucket.bucket), withCommas(estimate.rows),
                    withCommas(estimate.online_cells), withCommas(estimate.fixed_cells),
                    formatSeconds(estimate.seconds), formatBytes(estimate.memory_bytes),
                    formatBytes(estimate.proof_bytes)});
    json.push_back({{"bucket", bucket.bucket},
                    {"rows", estimate.rows},
                    {"online_cells", estimate.online_cells},
                    {"fixed_cells", estimate.fixed_cells},
                    {"seconds", estimate.seconds},
                    {"memory_bytes", estimate.memory_bytes},
                    {"proof_bytes", estimate.proof_bytes}});
  }
  summary.addTable("buckets", "Buckets (a run takes the shortest that it fits in)",
                   {"positions", "rows", "witness cells", "fixed cells", "prove time, about",
                    "memory", "proof size"},
                   std::move(rows), std::move(json));
}

void addBlocks(int64_t steps, int64_t most, Summary& summary) {
  summary.add("blocks", "blocks", {{"steps", steps}, {"most", most}},
              absl::StrCat("a run has up to ", most, ", of ", steps,
                           " steps each; the costs here are those of one"));
}

void addEstimate(const compiler::Estimate& estimate, Summary& summary) {
  if (estimate.blocks > 1) summary.addCount("blocks", "blocks of steps", estimate.blocks);
  summary.add("online_cells", "witness cells", estimate.online_cells,
              absl::StrCat(withCommas(estimate.online_cells),
                           " (field elements that every proof commits to)"));
  summary.add("fixed_cells", "fixed cells", estimate.fixed_cells,
              absl::StrCat(withCommas(estimate.fixed_cells),
                           " (of weights and lookup tables: committed once, in the key)"));
  summary.add("seconds", "expected prove time", estimate.seconds,
              absl::StrCat("about ", formatSeconds(estimate.seconds)));
  summary.add("memory_bytes", "expected memory", estimate.memory_bytes,
              absl::StrCat("about ", formatBytes(estimate.memory_bytes)));
  summary.add("proof_bytes", "expected proof size", estimate.proof_bytes,
              absl::StrCat("about ", formatBytes(estimate.proof_bytes)));
  summary.addData("scratch_bytes", estimate.scratch_bytes);
}

void addRegions(const compiler::CostReport& cost, Summary& summary) {
  Json json = Json::array();
  // Those of all layers are one line of text: "layer*/linear".
  std::vector<compiler::Share> lines;
  for (const compiler::Share& region : cost.regions) {
    json.push_back({{"name", region.name}, {"cells", region.cells}});
    std::string name = withoutLayer(region.name);
    auto found = std::find_if(lines.begin(), lines.end(),
                              [&](const compiler::Share& line) { return line.name == name; });
    if (found == lines.end()) found = lines.insert(found, {name, 0});
    found->cells += region.cells;
  }
  const std::string padding = "padding to powers of two";
  json.push_back({{"name", padding}, {"cells", cost.padding}});
  lines.push_back({padding, cost.padding});
  Summary::Rows rows;
  for (const compiler::Share& line : lines) {
    double share = 100 * static_cast<double>(line.cells) / static_cast<double>(cost.online);
    const std::string name = line.name.empty() ? "in no region" : line.name;
    rows.push_back({name, withCommas(line.cells), absl::StrFormat("%.1f %%", share)});
  }
  summary.addCount("region_count", "regions", static_cast<int64_t>(cost.regions.size()));
  const char* title = cost.most_blocks > 0 ? "Cells per region, of a block" : "Cells per region";
  summary.addTable("regions", title, {"region", "cells", "share"}, std::move(rows),
                   std::move(json));
}

}  // namespace lindero::cli
