// The client's settings file: where a server is and how it is reached, so that
// nobody types it twice.
//
//   # comment
//   server = saliency.example.org:50051
//   tls-ca = ca.pem
//   token-file = ~/.saliency-token
//
// Keys are the flags server, tls-ca, tls-cert, tls-key, tls-server-name and
// token-file.  A file's path is relative to the folder of the settings file, or
// begins with ~/.  Flags and environment variables go before it.  When it names
// a server its TLS and token settings are for that one alone: whoever is sent
// to another server by a flag or a variable takes none of them along.

#ifndef SALIENCY_CLIENT_CLI_CONFIG_FILE_H_
#define SALIENCY_CLIENT_CLI_CONFIG_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

struct ConfigSetting {
  std::string key;
  std::string value;  // paths resolved
};

// $XDG_CONFIG_HOME/saliency/client.conf, or that in ~/.config; empty when
// neither variable is set.
std::string DefaultConfigFile();

// Errors: INVALID_ARGUMENT naming file, line and key: it cannot be read, a line
//   is not KEY = VALUE, a key is unknown or there twice.
absl::StatusOr<std::vector<ConfigSetting>> ReadConfigFile(
    const std::string& path);

// Gives `command`, which was parsed, the settings that neither its flags nor
// the environment gave: of the file of its --config, else of `default_path`,
// which need not be there.  Without a flag --config nothing happens.
// Errors: as ReadConfigFile.
absl::Status ApplyConfigFile(CLI::App& command,
                             const std::string& default_path);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_CONFIG_FILE_H_
