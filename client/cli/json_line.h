// A JSON value as one line of text.
// Pure function; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_JSON_LINE_H_
#define SALIENCY_CLIENT_CLI_JSON_LINE_H_

#include <nlohmann/json.hpp>
#include <string>

namespace saliency {

// Paths and labels may hold any bytes: what is not UTF-8 is replaced.
inline std::string JsonLine(const nlohmann::ordered_json& json) {
  return json.dump(/*indent=*/-1, /*indent_char=*/' ', /*ensure_ascii=*/false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_JSON_LINE_H_
