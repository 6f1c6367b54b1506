#include "runtime/prove/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "runtime/package/files.h"
#include "runtime/package/status_macros.h"

extern char** environ;

namespace lindero::runtime {
namespace {

constexpr size_t kKeptErrors = 64 << 10;
// In the started program; 0, 1 and 2 are the standard ones.
constexpr int kProgressDescriptor = 3;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }
  int number() const { return number_; }
  bool open() const { return number_ >= 0; }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read, write;
};

absl::StatusOr<Pipe> makePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return systemError("cannot make a pipe", errno);
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  // dup2 of a descriptor onto itself would keep the flag that closes it: stay clear of the target.
  if (pipe.write.number() <= kProgressDescriptor) {
    int moved = ::fcntl(pipe.write.number(), F_DUPFD_CLOEXEC, kProgressDescriptor + 1);
    if (moved < 0) return systemError("cannot make a pipe", errno);
    pipe.write = Descriptor(moved);
  }
  return pipe;
}

// Of two that are connected; unlike a pipe's, writing to it raises no signal if nobody reads.
absl::StatusOr<Pipe> makeInput() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return systemError("cannot make a pair of sockets", errno);
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

absl::StatusOr<pid_t> spawn(const std::string& program, const std::vector<std::string>& arguments,
                            const Pipe& input, const Pipe& progress, const Pipe& output,
                            const Pipe& errors) {
  std::vector<std::string> words = {program};
  for (const std::string& argument : arguments) {
    words.push_back(argument == "{progress}" ? absl::StrCat(kProgressDescriptor) : argument);
  }
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.read.number(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.write.number(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.write.number(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, progress.write.number(), kProgressDescriptor);
  // Our signals are blocked for a thread that waits for them; the program's are not.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, pointers.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return systemError(absl::StrCat("cannot start ", program), error);
  return pid;
}

// Reads what is there; false at the end.
bool readSome(int descriptor, std::string& into) {
  std::array<char, 4096> block;
  ssize_t count;
  do {
    count = ::read(descriptor, block.data(), block.size());
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  into.append(block.data(), count);
  return true;
}

void takeLines(std::string& text, const std::function<void(absl::string_view)>& line) {
  size_t start = 0;
  for (size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    line(absl::string_view(text).substr(start, end - start));
  }
  text.erase(0, start);
}

double secondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

struct Process::Channels {
  Descriptor input, progress, output, errors;
  std::string lines;  // of the progress, as far as they are no whole ones
};

absl::StatusOr<std::unique_ptr<Process>> Process::start(const std::string& program,
                                                        const std::vector<std::string>& arguments,
                                                        LineReader progress, Monitor& monitor) {
  LINDERO_RETURN_IF_ERROR(monitor.checkCancelled());
  LINDERO_ASSIGN_OR_RETURN(Pipe input, makeInput());
  LINDERO_ASSIGN_OR_RETURN(Pipe lines, makePipe());
  LINDERO_ASSIGN_OR_RETURN(Pipe output, makePipe());
  LINDERO_ASSIGN_OR_RETURN(Pipe errors, makePipe());
  LINDERO_ASSIGN_OR_RETURN(const pid_t pid,
                           spawn(program, arguments, input, lines, output, errors));
  auto channels = std::make_unique<Channels>();
  channels->input = std::move(input.write);
  channels->progress = std::move(lines.read);
  channels->output = std::move(output.read);
  channels->errors = std::move(errors.read);
  return absl::WrapUnique(
      new Process(program, pid, std::move(channels), std::move(progress), monitor));
}

Process::Process(const std::string& program, pid_t pid, std::unique_ptr<Channels> channels,
                 LineReader progress, Monitor& monitor)
    : program_(program),
      pid_(pid),
      channels_(std::move(channels)),
      progress_(std::move(progress)),
      running_(pid, monitor) {}

Process::~Process() {
  if (ended_) return;
  ::kill(pid_, SIGTERM);
  finish().IgnoreError();
}

std::optional<std::string> Process::ask(absl::string_view line) {
  const std::string text = absl::StrCat(line, "\n");
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t count =
        ::send(channels_->input.number(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    sent += count;
  }
  watch(/*until_line=*/true);
  const size_t end = result_.output.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string answer = result_.output.substr(0, end);
  result_.output.erase(0, end + 1);
  return answer;
}

absl::StatusOr<ProcessResult> Process::finish() {
  channels_->input.close();
  watch(/*until_line=*/false);
  int status = 0;
  struct rusage usage = {};
  while (::wait4(pid_, &status, 0, &usage) < 0) {
    if (errno != EINTR) return systemError(absl::StrCat("cannot watch ", program_), errno);
  }
  ended_ = true;
  result_.processor_seconds = secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime);
  if (WIFSIGNALED(status)) {
    result_.signal = WTERMSIG(status);
  } else {
    result_.exit_code = WEXITSTATUS(status);
  }
  return std::move(result_);
}

void Process::watch(bool until_line) {
  auto& [input, progress, output, errors, lines] = *channels_;
  auto answered = [&] { return until_line && result_.output.find('\n') != std::string::npos; };
  while (!answered() && (progress.open() || output.open() || errors.open())) {
    pollfd polled[3] = {
        {progress.number(), POLLIN, 0}, {output.number(), POLLIN, 0}, {errors.number(), POLLIN, 0}};
    if (::poll(polled, 3, -1) < 0) {
      if (errno != EINTR) return;
      continue;
    }
    if (polled[0].revents != 0) {
      if (!readSome(progress.number(), lines)) progress.close();
      takeLines(lines, progress_);
    }
    if (polled[1].revents != 0 && !readSome(output.number(), result_.output)) output.close();
    if (polled[2].revents != 0 && !readSome(errors.number(), result_.errors)) errors.close();
    if (result_.errors.size() > 2 * kKeptErrors) {
      result_.errors.erase(0, result_.errors.size() - kKeptErrors);
    }
  }
}

absl::StatusOr<ProcessResult> runProcess(const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const LineReader& progress, Monitor& monitor) {
  LINDERO_ASSIGN_OR_RETURN(const std::unique_ptr<Process> process,
                           Process::start(program, arguments, progress, monitor));
  return process->finish();
}

}  // namespace lindero::runtime
