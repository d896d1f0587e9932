// Adds options to a command line the way all of this server's are: a flag, an
// environment variable and a key of the file named by --config, each with its
// check and its default in --help.  A check has no description of its own: the
// name of the option's type is one.
// Thread-compatible; call before threads start.

#ifndef SALIENCY_SERVER_OPTION_ADDER_H_
#define SALIENCY_SERVER_OPTION_ADDER_H_

#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace saliency {

// "listen-address" -> "SALIENCY_LISTEN_ADDRESS".
std::string EnvironmentName(absl::string_view flag);

// HOST:PORT with a port from 0 to 65535.
CLI::Validator AddressValidator();

// Each `flag` is without its dashes; each value holds the default and outlives
// the command line.
class OptionAdder {
 public:
  explicit OptionAdder(CLI::App& app) : app_(app) {}

  template <typename T>
  CLI::Option* Add(const std::string& flag, T& value,
                   const std::string& description) {
    return app_.add_option("--" + flag, value, description)
        ->envname(EnvironmentName(flag))
        ->capture_default_str();
  }

  // A whole number in [1, max].
  template <typename T>
  void AddCount(const std::string& flag, T& value, int64_t max,
                const std::string& description) {
    Add(flag, value, description)
        ->check(CLI::Range(int64_t{1}, max).description(""))
        ->type_name("1.." + std::to_string(max));
  }

  // Bytes in [1, max]; a suffix as KiB is understood.
  void AddBytes(const std::string& flag, int64_t& value, int64_t max,
                const std::string& description);
  // In [min, 24h].
  void AddDuration(const std::string& flag, absl::Duration& value,
                   absl::Duration min, const std::string& description);
  void AddAddress(const std::string& flag, std::string& value,
                  const std::string& description);
  // The path of a file, which is not looked at here.
  void AddFile(const std::string& flag, std::string& value,
               const std::string& description);
  void AddSwitch(const std::string& flag, bool& value,
                 const std::string& description);

 private:
  CLI::App& app_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_OPTION_ADDER_H_
