// Where a command writes: text for people, or JSON lines with --json.
//
// Text: estimates and the final summary go to stdout, progress is one line that rewrites itself on
// stderr, and only if that is a terminal; notes pass above it. JSON: every event is one line on
// stdout, an object whose "event" is "estimate", "progress", "note", "result" or "error", or what a
// command calls its raw data. Both forms are made from the same Summary, so they say the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "runtime/monitor/monitor.h"

namespace lindero::cli {

using Json = nlohmann::ordered_json;

// "1,234,567"
std::string withCommas(int64_t value);
// "1 position", "64 positions"
std::string countOf(int64_t count, absl::string_view what);
// "1.4 s", "230 ms", "12 min"
std::string formatSeconds(double seconds);
// "287 KB", "1.2 GB" (decimal units)
std::string formatBytes(double bytes);

// Names of fused nodes, joined by " + ", are long: of three and more in a row the first and the
// last are left, and their number: "/h.0/fc/MatMul … /h.0/gelu/Mul (5 nodes)".
std::string shortenNodes(absl::string_view text);

// What a command has to say at its end, in order: lines "label  text" and small tables.
class Summary {
 public:
  // `key` is the name in JSON.
  void add(absl::string_view key, absl::string_view label, Json value, std::string text);
  void addCount(absl::string_view key, absl::string_view label, int64_t value);
  void addSeconds(absl::string_view key, absl::string_view label, double value);
  void addBytes(absl::string_view key, absl::string_view label, int64_t value);
  // From here on text is shown with --verbose only, or always again.
  void details(bool on) { details_ = on; }
  // Only in JSON.
  void addData(absl::string_view key, Json value) { json_[std::string(key)] = std::move(value); }
  // Only in text: with a label, or a line as it is.
  void addLine(absl::string_view label, std::string text) {
    lines_.push_back({std::string(label), std::move(text), false, details_});
  }
  void addText(std::string text) { lines_.push_back({"", std::move(text), true, details_}); }

  // Columns are aligned; those after the first to the right. `json` keeps the same content.
  using Rows = std::vector<std::vector<std::string>>;
  void addTable(absl::string_view key, absl::string_view title, std::vector<std::string> header,
                Rows rows, Json json);
  void addTextTable(absl::string_view title, std::vector<std::string> header, Rows rows);

  // One of several parts: its text under a heading, its JSON with the name in the list `key`.
  void addPart(absl::string_view key, const std::string& name, const Summary& part);

  const Json& json() const { return json_; }
  std::string text(bool verbose = true) const;

 private:
  struct Line {
    std::string label;
    std::string text;
    bool plain;   // without a label
    bool detail;  // with --verbose only
  };
  std::vector<Line> lines_;
  Json json_ = Json::object();
  bool details_ = false;
};

class Context {
 public:
  // `json`: events instead of text. `verbose`: with the details of summaries.
  explicit Context(bool json, bool verbose = false);
  ~Context();

  bool json() const { return json_; }
  // What work reports to: progress and notes go where the ones below do.
  runtime::Monitor& monitor() { return monitor_; }

  void estimate(const Summary& summary);
  void note(absl::string_view text);
  // `fraction` in [0, 1], or negative when unknown.
  void progress(absl::string_view stage, double fraction = -1);
  void result(absl::string_view command, const Summary& summary);
  // An event of the command's own, of which text shows nothing.
  void data(absl::string_view event, const Json& body);
  // Writes the one line of an error and returns its exit code.
  int finish(const absl::Status& status);

 private:
  void clearProgress();
  void write(std::FILE* file, absl::string_view text);
  void event(absl::string_view name, Json body);

  void showProgress();

  bool json_;
  bool verbose_;
  bool terminal_;
  std::string progress_;  // the line as it stands; empty: none
  runtime::Monitor monitor_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_progress_;
  std::string last_stage_;
};

// Seconds since its construction.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace lindero::cli
