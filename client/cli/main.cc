// `saliency`: the command line client.

#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "client/cli/command_line.h"
#include "client/cli/config_file.h"
#include "client/cli/console.h"
#include "client/cli/interrupt.h"
#include "client/cli/signal_watcher.h"
#include "core/base/clock.h"

int main(int argc, char** argv) {
  saliency::Interrupt interrupt;
  const saliency::SignalWatcher watcher(interrupt);
  saliency::Console console{.out = std::cout,
                            .err = std::cerr,
                            .err_is_terminal = isatty(STDERR_FILENO) == 1,
                            .clock = saliency::Clock::Real(),
                            .interrupt = interrupt,
                            .config_file = saliency::DefaultConfigFile()};
  return saliency::RunCommandLine(
      std::vector<std::string>(argv + 1, argv + argc), console);
}
