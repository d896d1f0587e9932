#include "server/options.h"

#include <cstdlib>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/base/cpu_limit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"

namespace saliency::options_test {
namespace {

using ::testing::HasSubstr;

// An environment variable for one test.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    setenv(name, value, /*overwrite=*/1);
  }
  ~Environment() { unsetenv(name_); }

 private:
  const char* const name_;
};

class OptionsTest : public testing::Test {
 protected:
  ServerOptions Parse(std::vector<std::string> arguments) {
    arguments.push_back("--models=" + folder_.path());
    auto parsed = ParseCommandLine(arguments);
    if (const auto* exit = std::get_if<CommandLineExit>(&parsed)) {
      ADD_FAILURE() << exit->output;
      return {};
    }
    return std::get<ServerOptions>(parsed);
  }

  // Wrong usage: returns what is printed.
  std::string ParseError(std::vector<std::string> arguments) {
    arguments.push_back("--models=" + folder_.path());
    auto parsed = ParseCommandLine(arguments);
    const auto* exit = std::get_if<CommandLineExit>(&parsed);
    if (exit == nullptr) return "accepted";
    EXPECT_EQ(exit->code, 2);
    return exit->output;
  }

  TemporaryFolder folder_;
};

TEST_F(OptionsTest, AConfigurationFileMayComeFromAnyEditor) {
  for (const char* end : {"\n", "\r\n", "\r"}) {
    for (const char* mark : {"", "\xEF\xBB\xBF"}) {
      folder_.Write("server.toml", std::string(mark) + "queue-items = 7" + end +
                                       "stream-window = 9" + end);
      const ServerOptions options =
          Parse({"--config=" + (folder_ / "server.toml")});
      EXPECT_EQ(options.limits.queue_items, 7);
      EXPECT_EQ(options.stream.window, 9);
    }
  }
  folder_.Write("server.toml", std::string("q\0u\0", 4));
  EXPECT_THAT(ParseError({"--config=" + (folder_ / "server.toml")}),
              HasSubstr("must be saved as UTF-8"));
}

TEST_F(OptionsTest, DefaultsAreTheDocumentedOnes) {
  const ServerOptions options = Parse({});
  EXPECT_EQ(options.models, folder_.path());
  EXPECT_EQ(options.listen_address, "127.0.0.1:50051");
  EXPECT_EQ(options.health_address, "");
  EXPECT_EQ(options.metrics_address, "127.0.0.1:9464");
  EXPECT_EQ(options.port_file, "");
  EXPECT_FALSE(options.insecure);
  EXPECT_EQ(options.cpu_threads, AvailableCpus());
  EXPECT_EQ(options.torch_threads, AvailableCpus());
  EXPECT_EQ(options.max_message_bytes, 32 << 20);
  EXPECT_EQ(options.limits.decode.max_bytes, 20 << 20);
  EXPECT_EQ(options.limits.decode.max_pixels, 40'000'000);
  EXPECT_EQ(options.limits.max_targets, 64);
  EXPECT_EQ(options.limits.max_attributions, 64);
  EXPECT_EQ(options.limits.max_layers, 512);
  EXPECT_EQ(options.limits.max_map_pixels, 128 << 20);
  EXPECT_EQ(options.limits.queue_items, 256);
  EXPECT_EQ(options.limits.queue_bytes, 1 << 30);
  EXPECT_EQ(options.limits.caller_share, 0.5);
  EXPECT_EQ(options.limits.scratch_bytes, 512 << 20);
  EXPECT_EQ(options.limits.max_work, 1 << 30);
  EXPECT_EQ(options.freed_memory.keep_bytes, 512 << 20);
  EXPECT_EQ(options.freed_memory.after, absl::Seconds(10));
  EXPECT_EQ(options.stream.window, 32);
  EXPECT_EQ(options.max_weight_studies, 1);
  EXPECT_EQ(options.drain_delay, absl::Seconds(5));
  EXPECT_EQ(options.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(options.log_format, LogFormat::kText);
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
}

TEST_F(OptionsTest, EveryFlagArrives) {
  const ServerOptions options = Parse({"--listen-address=127.0.0.1:0",
                                       "--health-address=0.0.0.0:8081",
                                       "--metrics-address=off",
                                       "--port-file=/tmp/p",
                                       "--cpu-threads=3",
                                       "--torch-threads=4",
                                       "--max-message-bytes=1MiB",
                                       "--max-image-bytes=2kb",
                                       "--max-pixels=5",
                                       "--max-targets=6",
                                       "--max-rows=7",
                                       "--max-attributions=8",
                                       "--max-layers=9",
                                       "--max-output-pixels=10",
                                       "--max-map-pixels=11",
                                       "--queue-items=12",
                                       "--queue-bytes=13",
                                       "--caller-share=0.25",
                                       "--scratch-bytes=14",
                                       "--max-work=15",
                                       "--keep-freed-bytes=16",
                                       "--return-freed-after=17s",
                                       "--drain-delay=0",
                                       "--drain-timeout=1m30s",
                                       "--log-format=json",
                                       "--log-level=warning"});
  EXPECT_EQ(options.listen_address, "127.0.0.1:0");
  EXPECT_EQ(options.health_address, "0.0.0.0:8081");
  EXPECT_EQ(options.metrics_address, "");
  EXPECT_EQ(options.port_file, "/tmp/p");
  EXPECT_EQ(options.cpu_threads, 3);
  EXPECT_EQ(options.torch_threads, 4);
  EXPECT_EQ(options.max_message_bytes, 1 << 20);
  EXPECT_EQ(options.limits.decode.max_bytes, 2048);
  EXPECT_EQ(options.limits.decode.max_pixels, 5);
  EXPECT_EQ(options.limits.max_targets, 6);
  EXPECT_EQ(options.limits.max_rows, 7);
  EXPECT_EQ(options.limits.max_attributions, 8);
  EXPECT_EQ(options.limits.max_layers, 9);
  EXPECT_EQ(options.limits.max_output_pixels, 10);
  EXPECT_EQ(options.limits.max_map_pixels, 11);
  EXPECT_EQ(options.limits.queue_items, 12);
  EXPECT_EQ(options.limits.queue_bytes, 13);
  EXPECT_EQ(options.limits.caller_share, 0.25);
  EXPECT_EQ(options.limits.scratch_bytes, 14);
  EXPECT_EQ(options.limits.max_work, 15);
  EXPECT_EQ(options.freed_memory.keep_bytes, 16);
  EXPECT_EQ(options.freed_memory.after, absl::Seconds(17));
  EXPECT_EQ(options.drain_delay, absl::ZeroDuration());
  EXPECT_EQ(options.drain_timeout, absl::Seconds(90));
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.log_level, LogLevel::kWarning);
}

TEST_F(OptionsTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  folder_.Write("server.toml",
                "max-targets = 1\nmax-layers = 1\nmax-attributions = 1\n"
                "log-format = \"json\"\n");
  const Environment targets("SALIENCY_MAX_TARGETS", "2");
  const Environment layers("SALIENCY_MAX_LAYERS", "2");
  const ServerOptions options =
      Parse({"--config", folder_ / "server.toml", "--max-targets=3"});
  EXPECT_EQ(options.limits.max_targets, 3);
  EXPECT_EQ(options.limits.max_layers, 2);
  EXPECT_EQ(options.limits.max_attributions, 1);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
}

TEST_F(OptionsTest, TheEnvironmentSetsFlagsWithoutValues) {
  const Environment insecure("SALIENCY_INSECURE", "true");
  EXPECT_TRUE(Parse({"--listen-address=0.0.0.0:1"}).insecure);
}

TEST_F(OptionsTest, PlainTextForOtherMachinesMustBeAskedFor) {
  EXPECT_THAT(ParseError({"--listen-address=0.0.0.0:50051"}),
              HasSubstr("--insecure"));
  EXPECT_THAT(ParseError({"--listen-address=[::]:50051"}),
              HasSubstr("--insecure"));
  EXPECT_EQ(Parse({"--listen-address=0.0.0.0:1", "--insecure"}).listen_address,
            "0.0.0.0:1");
}

TEST_F(OptionsTest, WrongValuesNameTheirFlag) {
  for (const char* argument :
       {"--cpu-threads=0", "--torch-threads=-1", "--max-targets=x",
        "--max-message-bytes=4GiB", "--max-image-bytes=0", "--max-pixels=0",
        "--queue-items=0", "--drain-delay=5", "--drain-delay=-5s",
        "--drain-timeout=forever", "--log-format=xml", "--log-level=loud",
        "--listen-address=nowhere", "--listen-address=:1",
        "--listen-address=h:65536", "--metrics-address=on"}) {
    const std::string flag =
        std::string(argument).substr(0, std::string(argument).find('='));
    EXPECT_THAT(ParseError({argument}), HasSubstr(flag)) << argument;
  }
}

TEST_F(OptionsTest, UnknownFlagsAndFileKeysAreErrors) {
  EXPECT_THAT(ParseError({"--colour=red"}), HasSubstr("--colour"));
  folder_.Write("server.toml", "colour = \"red\"\n");
  EXPECT_THAT(ParseError({"--config", folder_ / "server.toml"}),
              HasSubstr("colour"));
  EXPECT_THAT(ParseError({"--config", folder_ / "none.toml"}),
              HasSubstr("none.toml"));
}

TEST(OptionsExitTest, ModelsAreRequired) {
  const auto parsed = ParseCommandLine({});
  ASSERT_TRUE(std::holds_alternative<CommandLineExit>(parsed));
  EXPECT_EQ(std::get<CommandLineExit>(parsed).code, 2);
  EXPECT_THAT(std::get<CommandLineExit>(parsed).output, HasSubstr("--models"));
}

TEST(OptionsExitTest, HelpNamesEveryOptionWithItsVariable) {
  const auto exit = std::get<CommandLineExit>(ParseCommandLine({"--help"}));
  EXPECT_EQ(exit.code, 0);
  for (const OptionRow& row : DescribeOptions()) {
    EXPECT_THAT(exit.output, HasSubstr(row.flag));
    EXPECT_FALSE(row.description.empty()) << row.flag;
    if (!row.environment.empty()) {
      EXPECT_THAT(exit.output, HasSubstr(row.environment));
    }
  }
}

// "DURATION:DURATION", "1..64:INT in [1 - 64]".
TEST(OptionsExitTest, HelpTellsEachTypeOnce) {
  const auto exit = std::get<CommandLineExit>(ParseCommandLine({"--help"}));
  EXPECT_THAT(exit.output, HasSubstr(" DURATION="));
  EXPECT_THAT(exit.output, HasSubstr(" HOST:PORT="));
  for (const char* doubled : {"DURATION:", "PORT:", "BYTES:", "INT in [",
                              "DIR:", "FORMAT:", "LEVEL:"}) {
    EXPECT_THAT(exit.output, testing::Not(HasSubstr(doubled)));
  }
}

TEST(OptionsExitTest, VersionNamesTheLibraries) {
  const auto exit = std::get<CommandLineExit>(ParseCommandLine({"--version"}));
  EXPECT_EQ(exit.code, 0);
  EXPECT_THAT(exit.output, HasSubstr("saliency-server 0."));
  EXPECT_THAT(exit.output, HasSubstr("LibTorch"));
}

TEST(IsLoopbackTest, OnlyThisMachinesAddressesAre) {
  for (const char* address : {"127.0.0.1:1", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.com:1", "host:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace saliency::options_test
