// A folder with a model's files, and what must not be opened around it.
//
//     <root>/model/     weights.bin, folder/weights.bin, and links and a pipe with names of a
//     model's
//                       external data: some of them lead out
//     <root>/outside/   files that nobody may open: the kernel tells who does (inotify)
//     <root>/tmp/       the temporary folder of the process; must be empty again after each input
//
// From `enter` on the process opens nothing else (Landlock), but for what libFuzzer and the
// sanitizers need: the folder of corpora and findings, and to read programs and /proc. An attempt
// ends in "Permission denied", which no message of a compiler may say then.
#ifndef LINDERO_TESTS_FUZZ_SANDBOX_H_
#define LINDERO_TESTS_FUZZ_SANDBOX_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lindero::fuzz {

class Sandbox {
 public:
  // `kept`: the folder that stays writable. Without Landlock in the kernel it says so, and what is
  // outside is watched alone.
  explicit Sandbox(const std::string& kept);
  Sandbox(const Sandbox&) = delete;
  ~Sandbox();

  std::string path(absl::string_view name) const;
  void writeModel(absl::string_view bytes) const;

  // Ends the program, as a finding, if a file outside was opened, or anything was left behind.
  void demandUntouched() const;

  // Of files inside and outside, as external data may name them.
  static std::vector<std::string> locations();

 private:
  void fill() const;
  void watch();

  std::string root_;
  int watch_ = -1;
};

}  // namespace lindero::fuzz

#endif  // LINDERO_TESTS_FUZZ_SANDBOX_H_
