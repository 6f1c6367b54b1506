#include "tools/lindero/show_comparison.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace lindero::cli {
namespace {

using compiler::Forecast;
using compiler::Measured;
using compiler::Named;
using compiler::Placement;
using compiler::Spread;
using compiler::Transcript;

template <typename Number>
Json jsonOf(const Named<Number>& numbers) {
  Json json = Json::object();
  for (const auto& [name, number] : numbers) json[name] = number;
  return json;
}

Json jsonOf(const Spread& spread) {
  return {{"median", spread.median}, {"least", spread.least}, {"most", spread.most}};
}

std::string countText(double value) { return withCommas(std::llround(value)); }

// "442 MB, +5 %"
std::string forecastText(const Forecast& forecast) {
  const absl::string_view name = forecast.quantity;
  const std::string value = absl::StrContains(name, "seconds") ? formatSeconds(forecast.predicted)
                            : absl::StrContains(name, "bytes") ? formatBytes(forecast.predicted)
                                                               : countText(forecast.predicted);
  return absl::StrFormat("%s, %+.0f %%", value, forecast.errorPercent());
}

std::string spreadText(const Spread& spread) {
  return absl::StrFormat("%.1f %%", 100 * spread.width());
}

void addPlacements(const std::vector<Placement>& placements, Summary& summary) {
  Summary::Rows rows;
  for (const Placement& placement : placements) {
    rows.push_back({placement.policy, absl::StrCat(placement.segments),
                    absl::StrCat(placement.links), withCommas(placement.crossing_values),
                    withCommas(placement.online_cells), withCommas(placement.fixed_cells),
                    withCommas(placement.columns),
                    absl::StrFormat("%.1f", placement.security_bits)});
  }
  summary.addTextTable("Placements",
                       {"placement", "segments", "links", "crossing values", "witness cells",
                        "fixed cells", "columns", "bits"},
                       std::move(rows));
}

void addMedians(const std::vector<Placement>& placements, const std::vector<Measured>& measured,
                Summary& summary) {
  Summary::Rows rows;
  for (size_t i = 0; i < placements.size(); ++i) {
    const Measured& of = measured[i];
    rows.push_back({placements[i].policy, formatSeconds(of.trace_seconds.median),
                    formatSeconds(of.prove_seconds.median), spreadText(of.prove_seconds),
                    formatSeconds(of.processor_seconds.median), spreadText(of.processor_seconds),
                    formatBytes(of.peak_memory_bytes.median), countText(of.proof_bytes.median),
                    spreadText(of.proof_bytes), formatSeconds(of.verify_seconds.median)});
  }
  summary.addTextTable("Medians (spread: from the least to the most)",
                       {"placement", "model run", "prove time", "spread", "processor", "spread",
                        "peak memory", "proof bytes", "spread", "verify time"},
                       std::move(rows));
}

void addForecasts(const std::vector<Placement>& placements, const std::vector<Measured>& measured,
                  Summary& summary) {
  Summary::Rows rows;
  for (size_t i = 0; i < placements.size(); ++i) {
    rows.push_back({placements[i].policy});
    for (const Forecast& forecast : compiler::forecastsOf(placements[i], measured[i]))
      rows.back().push_back(forecastText(forecast));
  }
  summary.addTextTable("What the cost model predicts, and how far that is off",
                       {"placement", "witness cells", "fixed cells", "without grinding",
                        "peak memory", "proof size"},
                       std::move(rows));
}

// A row for each name, a column for each placement; what takes most comes first.
template <typename Format>
void addBreakdown(const std::string& title, const std::string& what,
                  const std::vector<Placement>& placements, const std::vector<Measured>& measured,
                  Named<double> Measured::* member, Format format, Summary& summary) {
  std::vector<std::string> header = {what};
  std::vector<std::pair<double, std::vector<std::string>>> rows;  // with the most of a row
  for (size_t i = 0; i < placements.size(); ++i) {
    header.push_back(placements[i].policy);
    for (const auto& [name, number] : measured[i].*member) {
      const std::string label = absl::StrReplaceAll(name, {{"_", " "}});
      auto row = std::find_if(rows.begin(), rows.end(),
                              [&](const auto& found) { return found.second.front() == label; });
      if (row == rows.end()) row = rows.insert(row, {0, {label}});
      row->first = std::max(row->first, number);
      row->second.resize(i + 1);
      row->second.push_back(format(number));
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Summary::Rows shown;
  for (auto& [most, row] : rows) {
    row.resize(header.size());
    shown.push_back(std::move(row));
  }
  summary.addTextTable(title, std::move(header), std::move(shown));
}

std::vector<Measured> measuredOfAll(const ComparedPlacements& compared) {
  std::vector<Measured> all;
  for (size_t i = 0; i < compared.placements.size(); ++i)
    all.push_back(compiler::measuredOf(i, compared.transcripts));
  return all;
}

void flatten(const Json& json, const std::string& prefix, Json& flat) {
  for (const auto& [name, value] : json.items()) {
    if (value.is_object()) {
      flatten(value, absl::StrCat(prefix, name, "."), flat);
    } else {
      flat[prefix + name] = value;
    }
  }
}

std::string csvField(const Json& value) {
  if (value.is_null()) return "";
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string csvLine(const std::vector<Json>& values) {
  return absl::StrCat(absl::StrJoin(values, ",",
                                    [](std::string* out, const Json& value) {
                                      absl::StrAppend(out, csvField(value));
                                    }),
                      "\n");
}

}  // namespace

Json transcriptJson(const ComparedPlacements& compared, const Transcript& transcript) {
  return {{"placement", compared.placements[transcript.placement].policy},
          {"transcript", transcript.round},
          {"nonce", transcript.nonce},
          {"key_digest", transcript.key_digest},
          {"proof_digest", transcript.proof_digest},
          {"commit", compared.commit},
          {"prover", compared.prover},
          {"threads", compared.threads},
          {"trace_seconds", transcript.trace_seconds},
          {"prove_seconds", transcript.prove_seconds},
          {"processor_seconds", transcript.processor_seconds},
          {"verify_seconds", transcript.verify_seconds},
          {"peak_memory_bytes", transcript.peak_memory_bytes},
          {"proof_bytes", transcript.proof_bytes},
          {"stages", jsonOf(transcript.stages)},
          {"bytes", jsonOf(transcript.parts)}};
}

Json placementJson(const ComparedPlacements& compared, size_t index) {
  const Placement& placement = compared.placements[index];
  const Measured measured = compiler::measuredOf(index, compared.transcripts);
  Json predicted = Json::object();
  for (const Forecast& forecast : compiler::forecastsOf(placement, measured)) {
    predicted[forecast.quantity] = {{"predicted", forecast.predicted},
                                    {"measured", forecast.measured},
                                    {"error_percent", forecast.errorPercent()}};
  }
  return {{"placement", placement.policy},
          {"key_digest", placement.key_digest},
          {"security",
           {{"regime", placement.regime},
            {"promised_bits", placement.promised_bits},
            {"bits", placement.security_bits}}},
          {"segments", placement.segments},
          {"links", placement.links},
          {"crossing_values", placement.crossing_values},
          {"online_cells", placement.online_cells},
          {"fixed_cells", placement.fixed_cells},
          {"columns", placement.columns},
          {"trace_seconds", jsonOf(measured.trace_seconds)},
          {"prove_seconds", jsonOf(measured.prove_seconds)},
          {"processor_seconds", jsonOf(measured.processor_seconds)},
          {"verify_seconds", jsonOf(measured.verify_seconds)},
          {"peak_memory_bytes", jsonOf(measured.peak_memory_bytes)},
          {"proof_bytes", jsonOf(measured.proof_bytes)},
          {"stages", jsonOf(measured.stages)},
          {"bytes", jsonOf(measured.parts)},
          {"predicted", std::move(predicted)}};
}

std::string csvOf(const std::vector<Json>& rows) {
  std::vector<Json> flat, names;
  for (const Json& row : rows) {
    flatten(row, "", flat.emplace_back(Json::object()));
    for (const auto& [name, value] : flat.back().items()) {
      if (std::find(names.begin(), names.end(), Json(name)) == names.end())
        names.emplace_back(name);
    }
  }
  std::string text = csvLine(names);
  for (const Json& row : flat) {
    std::vector<Json> values;
    for (const Json& name : names) values.push_back(row.value(name.get<std::string>(), Json()));
    absl::StrAppend(&text, csvLine(values));
  }
  return text;
}

void addComparison(const ComparedPlacements& compared, Summary& summary) {
  const std::vector<Measured> measured = measuredOfAll(compared);
  addPlacements(compared.placements, summary);
  addMedians(compared.placements, measured, summary);
  addForecasts(compared.placements, measured, summary);
  addBreakdown("Prove time by stage", "stage", compared.placements, measured, &Measured::stages,
               formatSeconds, summary);
  addBreakdown("Proof bytes by part", "part", compared.placements, measured, &Measured::parts,
               countText, summary);
  Json placements = Json::array();
  for (size_t i = 0; i < compared.placements.size(); ++i)
    placements.push_back(placementJson(compared, i));
  summary.addData("placements", std::move(placements));
}

}  // namespace lindero::cli
