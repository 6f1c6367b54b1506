#include "tests/fuzz/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/fuzz.h"

namespace lindero::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWeights = 1 << 16;
// An open folder outside, by a number: a name that starts with "/" and is the same in every run.
constexpr int kOutside = 100;

constexpr uint64_t kReads =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kWrites = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                             LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                             LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                             LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

void allow(int rules, const std::string& path, uint64_t access) {
  landlock_path_beneath_attr beneath = {};
  beneath.allowed_access = access;
  beneath.parent_fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (beneath.parent_fd < 0) return;  // not every system has each of these
  (void)::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
  ::close(beneath.parent_fd);
}

bool confine(const std::string& root, const std::string& kept) {
  landlock_ruleset_attr attributes = {};
  attributes.handled_access_fs = kReads | kWrites;
  const int rules =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0));
  if (rules < 0) return false;
  allow(rules, root, kReads | kWrites);
  allow(rules, kept, kReads | kWrites);
  for (const char* programs : {"/usr", "/bin", "/lib", "/lib64", "/proc"})
    allow(rules, programs, kReads);
  allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
  const bool done = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                    ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  ::close(rules);
  return done;
}

void write(const std::string& path, absl::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::set<std::string> namesIn(const std::string& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename());
  return names;
}

}  // namespace

Sandbox::Sandbox(const std::string& kept) {
  root_ = fs::canonical(fs::temp_directory_path()) / "model_fuzzer.XXXXXX";
  demand(::mkdtemp(root_.data()) != nullptr, "there is room for a model");
  fill();
  watch();
  ::setenv("TMPDIR", path("tmp").c_str(), 1);
  if (!confine(root_, kept))
    std::fprintf(stderr, "no Landlock in this kernel: only %s/outside is watched\n", root_.c_str());
}

Sandbox::~Sandbox() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

std::string Sandbox::path(absl::string_view name) const { return absl::StrCat(root_, "/", name); }

void Sandbox::fill() const {
  for (const char* folder : {"model", "model/folder", "modeled", "outside", "tmp"})
    fs::create_directory(path(folder));
  // Small floats, and integers that are sizes.
  std::string weights;
  for (size_t i = 0; weights.size() < kWeights; ++i)
    weights += i < kWeights / 8 ? std::string("\0\0\0\x3f", 4) : std::string("\1\0\0\0", 4);
  for (const char* file : {"model/weights.bin", "model/folder/weights.bin", "outside/weights.bin",
                           "modeled/weights.bin"})
    write(path(file), weights);
  fs::create_symlink("weights.bin", path("model/link"));
  fs::create_symlink("../outside/weights.bin", path("model/away"));
  fs::create_symlink("../modeled/weights.bin", path("model/beside"));
  fs::create_directory_symlink("../outside", path("model/door"));
  fs::create_symlink("loop", path("model/loop"));
  ::mkfifo(path("model/pipe").c_str(), 0600);
}

void Sandbox::watch() {
  watch_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  for (const char* file : {"outside/weights.bin", "modeled/weights.bin"})
    demand(::inotify_add_watch(watch_, path(file).c_str(), IN_OPEN | IN_ACCESS | IN_MODIFY) >= 0,
           "files outside can be watched");
  const int outside = ::open(path("outside").c_str(), O_PATH | O_DIRECTORY);
  demand(outside >= 0 && ::dup2(outside, kOutside) == kOutside, "the folder outside has a number");
  ::close(outside);
}

void Sandbox::writeModel(absl::string_view bytes) const { write(path("model/model.onnx"), bytes); }

void Sandbox::demandUntouched() const {
  alignas(inotify_event) char events[4096];
  demand(::read(watch_, events, sizeof(events)) < 0, "no file outside of the model's folder opens");
  demand(namesIn(path("tmp")).empty(), "nothing is left in the temporary folder");
  static const std::set<std::string> before = {"away", "beside", "door",       "folder",     "link",
                                               "loop", "pipe",   "model.onnx", "weights.bin"};
  demand(namesIn(path("model")) == before, "the model's folder is as it was");
  static const std::set<std::string> folders = {"model", "modeled", "outside", "tmp"};
  demand(namesIn(root_) == folders, "nothing is left beside the package");
}

std::vector<std::string> Sandbox::locations() {
  return {"weights.bin",
          "folder/weights.bin",
          "./weights.bin",
          "link",
          "away",
          "beside",
          "door/weights.bin",
          "loop",
          "pipe",
          "folder",
          "",
          ".",
          "..",
          "/",
          "missing.bin",
          "model.onnx",
          "../outside/weights.bin",
          "../modeled/weights.bin",
          "../model/weights.bin",
          "folder/../../outside/weights.bin",
          "folder/../weights.bin",
          "//proc/self/fd/100/weights.bin",
          absl::StrCat("/proc/self/fd/", kOutside, "/weights.bin"),
          std::string("weights.bin\0/../../outside/weights.bin", 38)};
}

}  // namespace lindero::fuzz
