#include "tools/lindero/context.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/lindero/exit_codes.h"

namespace lindero::cli {
namespace {

// A terminal needs no more than ten lines a second.
constexpr std::chrono::milliseconds kBetweenProgress{100};

std::string oneLine(absl::string_view text) {
  std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \n\r"), absl::SkipEmpty());
  return absl::StrJoin(words, " ");
}

// Names of nodes and files may hold anything: bytes that are no UTF-8 are replaced.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Columns that UTF-8 text takes on a terminal, near enough.
size_t widthOf(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

void appendPadded(std::string& out, absl::string_view text, size_t width, bool right) {
  size_t blanks = width - std::min(width, widthOf(text));
  if (right) out.append(blanks, ' ');
  absl::StrAppend(&out, text);
  if (!right) out.append(blanks, ' ');
}

}  // namespace

std::string countOf(int64_t count, absl::string_view what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

std::string withCommas(int64_t value) {
  std::string digits = absl::StrCat(value);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    bool group = (digits.size() - i) % 3 == 0;
    if (group && i > 0 && digits[i - 1] != '-') out += ',';
    out += digits[i];
  }
  return out;
}

std::string shortenNodes(absl::string_view text) {
  std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  std::vector<std::string> out;
  for (size_t i = 0; i < words.size();) {
    size_t end = i + 1;
    while (end + 1 < words.size() && words[end] == "+") end += 2;
    size_t nodes = (end - i + 1) / 2;
    if (nodes < 3) {
      out.emplace_back(words[i]);
      end = i + 1;
    } else {
      // A quote or colon that follows the last name follows the whole.
      absl::string_view last = words[end - 1];
      size_t tail = last.find_last_not_of("'\":,;)") + 1;
      out.push_back(absl::StrCat(words[i], " … ", last.substr(0, tail), " (", nodes, " nodes)",
                                 last.substr(tail)));
    }
    i = end;
  }
  return absl::StrJoin(out, " ");
}

std::string formatSeconds(double seconds) {
  if (seconds < 0.9995) return absl::StrFormat("%.0f ms", seconds * 1000);
  if (seconds < 9.95) return absl::StrFormat("%.1f s", seconds);
  if (seconds < 120) return absl::StrFormat("%.0f s", seconds);
  return absl::StrFormat("%.0f min", seconds / 60);
}

std::string formatBytes(double bytes) {
  const char* units[] = {"B", "KB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 999.5 && unit < 4) {
    bytes /= 1000;
    ++unit;
  }
  bool small = unit > 0 && bytes < 9.95;
  return absl::StrFormat(small ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

void Summary::add(absl::string_view key, absl::string_view label, Json value, std::string text) {
  json_[std::string(key)] = std::move(value);
  addLine(label, std::move(text));
}

void Summary::addCount(absl::string_view key, absl::string_view label, int64_t value) {
  add(key, label, value, withCommas(value));
}

void Summary::addSeconds(absl::string_view key, absl::string_view label, double value) {
  add(key, label, value, formatSeconds(value));
}

void Summary::addBytes(absl::string_view key, absl::string_view label, int64_t value) {
  add(key, label, value,
      absl::StrCat(withCommas(value), " bytes (", formatBytes(static_cast<double>(value)), ")"));
}

void Summary::addTable(absl::string_view key, absl::string_view title,
                       std::vector<std::string> header, Rows rows, Json json) {
  json_[std::string(key)] = std::move(json);
  addTextTable(title, std::move(header), std::move(rows));
}

void Summary::addTextTable(absl::string_view title, std::vector<std::string> header, Rows rows) {
  std::vector<size_t> widths;
  rows.insert(rows.begin(), std::move(header));
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], widthOf(row[i]));
  }
  addText(absl::StrCat("\n", title));
  for (const std::vector<std::string>& row : rows) {
    std::string line = "  ";
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      appendPadded(line, row[i], widths[i], i > 0);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    addText(line);
  }
}

void Summary::addPart(absl::string_view key, const std::string& name, const Summary& part) {
  Json entry = {{"name", name}};
  entry.update(part.json_);
  json_[std::string(key)].push_back(std::move(entry));
  addText("");
  addText(name);
  lines_.insert(lines_.end(), part.lines_.begin(), part.lines_.end());
}

std::string Summary::text(bool verbose) const {
  size_t width = 0;
  for (const Line& line : lines_) {
    if (!line.plain && (verbose || !line.detail)) width = std::max(width, widthOf(line.label));
  }
  std::string out;
  for (const Line& line : lines_) {
    if (line.detail && !verbose) continue;
    if (!line.plain) {
      appendPadded(out, line.label, width + 2, false);
    }
    absl::StrAppend(&out, line.text, "\n");
  }
  return out;
}

Context::Context(bool json, bool verbose)
    : json_(json),
      verbose_(verbose),
      terminal_(!json && isatty(STDERR_FILENO) == 1),
      monitor_([this](absl::string_view stage, double fraction) { progress(stage, fraction); },
               [this](absl::string_view text) { note(text); }),
      start_(std::chrono::steady_clock::now()) {}

Context::~Context() { clearProgress(); }

void Context::write(std::FILE* file, absl::string_view text) {
  clearProgress();
  std::string shown = Json::parse(dump(Json(text))).get<std::string>();
  for (char& c : shown) {
    // Nothing that a terminal would obey.
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f') c = '?';
  }
  std::fwrite(shown.data(), 1, shown.size(), file);
  std::fflush(file);
}

void Context::event(absl::string_view name, Json body) {
  Json line = {{"event", std::string(name)}};
  line.update(body);
  absl::FPrintF(stdout, "%s\n", dump(line));
  std::fflush(stdout);
}

void Context::estimate(const Summary& summary) {
  if (json_) return event("estimate", summary.json());
  write(stdout, summary.text());
}

void Context::note(absl::string_view text) {
  if (json_) return event("note", {{"text", std::string(text)}});
  const std::string progress = progress_;
  write(stdout, absl::StrCat("note: ", text, "\n"));
  progress_ = progress;
  showProgress();
}

void Context::progress(absl::string_view stage, double fraction) {
  auto now = std::chrono::steady_clock::now();
  bool next_stage = last_stage_ != stage;
  if (!next_stage && now - last_progress_ < kBetweenProgress) return;
  last_progress_ = now;
  last_stage_ = std::string(stage);
  double seconds = std::chrono::duration<double>(now - start_).count();
  if (json_) {
    Json body = {{"stage", last_stage_}, {"seconds", std::round(seconds * 1000) / 1000}};
    if (fraction >= 0) body["fraction"] = fraction;
    return event("progress", std::move(body));
  }
  if (!terminal_) return;
  std::string done = fraction < 0 ? "" : absl::StrFormat(" %3.0f %%", fraction * 100);
  progress_ = absl::StrFormat("%s …%s  %s", stage, done, formatSeconds(seconds));
  showProgress();
}

void Context::showProgress() {
  if (progress_.empty()) return;
  absl::FPrintF(stderr, "\r\033[K%s", progress_);
  std::fflush(stderr);
}

void Context::clearProgress() {
  if (progress_.empty()) return;
  absl::FPrintF(stderr, "\r\033[K");
  std::fflush(stderr);
  progress_.clear();
}

void Context::result(absl::string_view command, const Summary& summary) {
  if (json_) {
    Json body = {{"command", std::string(command)}};
    body.update(summary.json());
    return event("result", std::move(body));
  }
  write(stdout, summary.text(verbose_));
}

void Context::data(absl::string_view name, const Json& body) {
  if (json_) event(name, body);
}

int Context::finish(const absl::Status& status) {
  clearProgress();
  if (status.ok()) return exitInfo(Error::kOk).code;
  const ExitInfo& info = exitInfo(errorOf(status));
  std::string message = oneLine(status.message());
  if (json_) {
    event("error", {{"code", info.code},
                    {"name", std::string(runtime::nameOf(info.kind))},
                    {"message", message}});
  } else {
    write(stderr, absl::StrCat("lindero: ", shortenNodes(message), "\n"));
  }
  return info.code;
}

}  // namespace lindero::cli
