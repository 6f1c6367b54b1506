#include "tools/lindero/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace lindero::cli {

void cleanUpWhenInterrupted(runtime::Monitor& monitor) {
  // Who reads our output may go: what was begun is finished.
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, &monitor] {
    int signal = 0;
    while (sigwait(&signals, &signal) != 0) {
    }
    monitor.abandon();
    ::_exit(128 + signal);
  }).detach();
}

}  // namespace lindero::cli
