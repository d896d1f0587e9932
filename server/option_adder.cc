#include "server/option_adder.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace saliency {
namespace {

constexpr absl::Duration kMaxDuration = absl::Hours(24);

// CLI11 asks a validator for what is wrong; nothing means that all is well.
CLI::Validator DurationValidator(absl::Duration min) {
  return CLI::Validator(
      [min](std::string& text) -> std::string {
        absl::Duration duration;
        if (!absl::ParseDuration(text, &duration) || duration < min ||
            duration > kMaxDuration) {
          return absl::StrCat("\"", text, "\" is not a duration from ",
                              absl::FormatDuration(min),
                              " to 24h (as 500ms, 30s, 1m30s)");
        }
        return "";
      },
      "");
}

}  // namespace

std::string EnvironmentName(absl::string_view flag) {
  return absl::StrCat("SALIENCY_", absl::AsciiStrToUpper(absl::StrReplaceAll(
                                       flag, {{"-", "_"}})));
}

CLI::Validator AddressValidator() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const size_t colon = text.rfind(':');
        int port = -1;
        if (colon == std::string::npos || colon == 0 ||
            !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 ||
            port > 65535) {
          return absl::StrCat(
              "\"", text, "\" is not HOST:PORT with a port from 0 to 65535");
        }
        return "";
      },
      "");
}

void OptionAdder::AddBytes(const std::string& flag, int64_t& value, int64_t max,
                           const std::string& description) {
  Add(flag, value, description)
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false).description(""))
      ->check(CLI::Range(int64_t{1}, max).description(""))
      ->type_name("BYTES");
}

void OptionAdder::AddDuration(const std::string& flag, absl::Duration& value,
                              absl::Duration min,
                              const std::string& description) {
  app_.add_option_function<std::string>(
          "--" + flag,
          [&value](const std::string& text) {
            absl::ParseDuration(text, &value);
          },
          description)
      ->envname(EnvironmentName(flag))
      ->check(DurationValidator(min))
      ->default_str(absl::FormatDuration(value))
      ->type_name("DURATION");
}

void OptionAdder::AddAddress(const std::string& flag, std::string& value,
                             const std::string& description) {
  Add(flag, value, description)
      ->check(AddressValidator())
      ->type_name("HOST:PORT");
}

void OptionAdder::AddFile(const std::string& flag, std::string& value,
                          const std::string& description) {
  Add(flag, value, description)->type_name("FILE");
}

void OptionAdder::AddSwitch(const std::string& flag, bool& value,
                            const std::string& description) {
  app_.add_flag("--" + flag, value, description)
      ->envname(EnvironmentName(flag));
}

}  // namespace saliency
