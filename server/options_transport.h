// The options of the gRPC port's connections: TLS, tokens, and how long a peer
// may keep the server waiting.  A part of options.h.
// Pure functions of their arguments.

#ifndef SALIENCY_SERVER_OPTIONS_TRANSPORT_H_
#define SALIENCY_SERVER_OPTIONS_TRANSPORT_H_

#include <string>

#include "server/option_adder.h"
#include "server/options.h"

namespace saliency {

void AddSecurityOptions(OptionAdder& adder, ServerOptions& options);
void AddConnectionOptions(OptionAdder& adder, ServerOptions& options);

// Says which flags do not fit together, naming them; nothing when all do.
std::string CheckSecurityOptions(const ServerOptions& options);

}  // namespace saliency

#endif  // SALIENCY_SERVER_OPTIONS_TRANSPORT_H_
