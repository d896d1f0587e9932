// A server whose surroundings are unkind: nobody reads what it writes, there
// are few files or processes to be had, and libraries speak out of turn.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "saliency/v1/model_service.grpc.pb.h"
#include "server/transport/file_descriptor.h"
#include "tests/lifecycle/served.h"
#include "tests/server/http2_peer.h"
#include "tests/server/temporary_folder.h"

namespace saliency::surroundings_test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A server that a shell starts, after `setting`, with its stderr to `where`.
class ShellServer {
 public:
  ShellServer(const ModelFolder& models, const std::string& setting,
              const std::string& where)
      : port_file_(folder_ / "ports") {
    const std::string command = absl::StrCat(
        setting, "; exec ", SALIENCY_SERVER_BINARY, " --models=", models.path(),
        " --listen-address=127.0.0.1:0 --metrics-address=127.0.0.1:0"
        " --drain-delay=0s --port-file=",
        port_file_, " 2>", where);
    process_ =
        ChildProcess::Start({.command = {"/bin/bash", "-c", command}}).value();
  }

  // 0 when it ends instead.
  int AwaitPort() const {
    while (!process_->AwaitExit(absl::Milliseconds(10)).has_value()) {
      for (absl::string_view line :
           absl::StrSplit(FileText(port_file_), '\n')) {
        int port = 0;
        if (absl::ConsumePrefix(&line, "grpc=") &&
            absl::SimpleAtoi(line, &port)) {
          return port;
        }
      }
    }
    return 0;
  }
  ChildProcess& process() { return *process_; }

 private:
  TemporaryFolder folder_;
  const std::string port_file_;
  std::unique_ptr<ChildProcess> process_;
};

// Whether that many small calls are answered, one after another.
bool ListModels(int port, int times) {
  const auto stub = v1::ModelService::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < times; ++i) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    v1::ListModelsResponse response;
    if (!stub->ListModels(&context, {}, &response).ok()) return false;
  }
  return true;
}

// A pipe with a name.  Its end for reading is open for as long as this lives.
class Fifo {
 public:
  Fifo() {
    EXPECT_EQ(mkfifo(path().c_str(), 0600), 0);
    reader_ = FileDescriptor(open(path().c_str(), O_RDONLY | O_NONBLOCK));
  }
  std::string path() const { return folder_ / "fifo"; }
  void CloseReader() { reader_ = FileDescriptor(); }

 private:
  TemporaryFolder folder_;
  FileDescriptor reader_;
};

TEST(SurroundingsTest, AStderrThatNobodyReadsStopsNeitherCallsNorTheEnd) {
  ModelFolder models;
  AddModel(models);
  const Fifo fifo;
  ShellServer server(models, "true", fifo.path());
  const int port = server.AwaitPort();
  ASSERT_NE(port, 0);
  // A line each, of which a pipe holds a few hundred.
  EXPECT_TRUE(ListModels(port, 2000));
  const absl::Time start = absl::Now();
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().AwaitExit(), 0);
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST(SurroundingsTest, AReaderOfStderrThatGoesTakesNothingWithIt) {
  ModelFolder models;
  AddModel(models);
  Fifo fifo;
  ShellServer server(models, "true", fifo.path());
  const int port = server.AwaitPort();
  ASSERT_NE(port, 0);
  fifo.CloseReader();
  EXPECT_TRUE(ListModels(port, 100));
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().AwaitExit(), 0);
}

TEST(SurroundingsTest, TheLimitOnFilesIsRaisedAndConnectionsStayWithinIt) {
  ModelFolder models;
  AddModel(models);
  ShellServer server(models, "ulimit -Sn 100; ulimit -Hn 600", "&2");
  ASSERT_NE(server.AwaitPort(), 0);
  EXPECT_THAT(
      FileText(absl::StrCat("/proc/", server.process().pid(), "/limits")),
      testing::ContainsRegex("Max open files +600 +600"));
  EXPECT_TRUE(server.process().AwaitError("fewer connections"));
  EXPECT_THAT(server.process().err(), HasSubstr("connections=344"));
}

// A group of processes with few places, where one can be made.
class FewProcesses {
 public:
  explicit FewProcesses(int places) {
    for (const char* root : {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"}) {
      folder_ = absl::StrCat(root, "/saliency-test-", getpid());
      std::error_code error;
      if (!std::filesystem::create_directory(folder_, error)) continue;
      std::ofstream(folder_ + "/pids.max") << places;
      if (absl::StartsWith(FileText(folder_ + "/pids.max"),
                           absl::StrCat(places))) {
        return;
      }
      rmdir(folder_.c_str());
    }
    folder_.clear();
  }
  ~FewProcesses() {
    // Until the last process has been buried.
    while (!folder_.empty() && rmdir(folder_.c_str()) != 0 && errno == EBUSY) {
      std::this_thread::yield();
    }
  }
  bool ok() const { return !folder_.empty(); }
  std::string enter() const {
    return absl::StrCat("echo $$ >", folder_, "/cgroup.procs");
  }

 private:
  std::string folder_;
};

TEST(SurroundingsTest, TooFewProcessesAreAnErrorThatSaysSo) {
  ModelFolder models;
  AddModel(models);
  for (const int places : {1, 2, 5, 12, 18}) {
    SCOPED_TRACE(places);
    const FewProcesses few(places);
    if (!few.ok()) GTEST_SKIP() << "no group of processes can be made here";
    ShellServer server(models, few.enter(), "&2");
    EXPECT_EQ(server.process().AwaitExit(), 1);
    EXPECT_THAT(server.process().err(), HasSubstr("cannot start"));
    EXPECT_THAT(server.process().err(),
                HasSubstr("threads that the server needs"));
  }
  const FewProcesses enough(64);
  ShellServer server(models, enough.enter(), "&2");
  ASSERT_NE(server.AwaitPort(), 0) << server.process().err();
  EXPECT_TRUE(server.process().AwaitError("model ready"));
  server.process().Signal(SIGTERM);
  EXPECT_EQ(server.process().AwaitExit(), 0);
}

uint32_t Crc32(const std::string& bytes) {
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
  }
  return ~crc;
}

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift));
  }
  return bytes;
}

std::string Chunk(const std::string& kind, const std::string& data) {
  return absl::StrCat(BigEndian(static_cast<uint32_t>(data.size())), kind, data,
                      BigEndian(Crc32(kind + data)));
}

// libpng warns of what it tells of its colours, and its pixels are cut off.
std::string PngThatLibpngWarnsOf() {
  const std::string header =
      BigEndian(8) + BigEndian(8) + std::string("\x08\x02\0\0\0", 5);
  return absl::StrCat("\x89PNG\r\n\x1a\n", Chunk("IHDR", header),
                      Chunk("gAMA", std::string(4, '\0')),
                      Chunk("cHRM", "short"),
                      Chunk("iCCP", std::string("x\0\0no zlib", 10)),
                      Chunk("IDAT", "\x78\x9c"), Chunk("IEND", ""));
}

// A header in HPACK without tables.
std::string Header(const std::string& name, const std::string& value) {
  const auto text = [](const std::string& bytes) {
    return static_cast<char>(bytes.size()) + bytes;
  };
  return '\0' + text(name) + text(value);
}

TEST(SurroundingsTest, EveryLineOnStderrIsOneJsonObjectWhateverLibrariesSay) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models, {"--log-format=json"});
  ASSERT_TRUE(server->AwaitServing().ok());
  v1::ComputeSaliencyRequest request = Question();
  request.mutable_input()->set_image(PngThatLibpngWarnsOf());
  EXPECT_FALSE(AskOnce(server->channel(), request).ok());

  const std::string address = server->address();
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  const std::string forged = "\n{\"level\":\"error\",\"message\":\"forged\"}\n";
  for (const char* name : {"grpc-timeout", "content-type", "grpc-encoding",
                           "x-request-id", ":scheme"}) {
    Http2Peer peer(port);
    peer.Greet();
    constexpr uint8_t kEndHeadersAndStream = 5;
    peer.Send(Frame{
        .type = FrameType::kHeaders,
        .flags = kEndHeadersAndStream,
        .stream = 1,
        .payload = absl::StrCat(
            Header(":method", "POST"), Header(":scheme", "http"),
            Header(":path", "/saliency.v1.ModelService/ListModels"),
            Header("content-type", "application/grpc"), Header(name, forged))});
    while (const auto frame = peer.Read(absl::Seconds(5))) {
      if (frame->type == FrameType::kHeaders) break;
    }
  }
  EXPECT_EQ(server->Stop(), 0);
  std::vector<std::string> messages;
  for (const absl::string_view line :
       absl::StrSplit(server->process().err(), '\n', absl::SkipEmpty())) {
    ASSERT_TRUE(nlohmann::json::accept(line)) << line;
    messages.push_back(nlohmann::json::parse(line)["message"]);
  }
  EXPECT_THAT(messages, IsSupersetOf({"listening", "call", "stopped"}));
  EXPECT_THAT(messages, Not(testing::Contains("forged")));
  EXPECT_THAT(server->process().err(), HasSubstr("libpng warning"))
      << "what was to be caught was said";
}

}  // namespace
}  // namespace saliency::surroundings_test
