// Bytes that are no gRPC, thrown at the port while honest callers use it.

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/http2_peer.h"
#include "tests/server/test_server.h"

namespace saliency::plain_bytes_test {
namespace {

std::string RandomBytes(std::mt19937& random, size_t max_size) {
  std::string bytes(random() % (max_size + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A frame whose head is right in its length, and in nothing else.
std::string RandomFrame(std::mt19937& random) {
  return FrameBytes({.type = static_cast<FrameType>(random() % 10),
                     .flags = static_cast<uint8_t>(random()),
                     .stream = static_cast<uint32_t>(random() % 8),
                     .payload = RandomBytes(random, 64)});
}

std::string Greeting() {
  return absl::StrCat(kHttp2Preface,
                      FrameBytes({.type = FrameType::kSettings}));
}

// One of several kinds of nonsense.
std::string Nonsense(std::mt19937& random) {
  switch (random() % 7) {
    case 0:
      return RandomBytes(random, 4096);
    case 1:
      return "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    case 2:  // the start of a TLS handshake
      return "\x16\x03\x01\x02" + RandomBytes(random, 512);
    case 3:  // cut off
      return Greeting().substr(0, random() % Greeting().size());
    case 4:
      return Greeting() + RandomBytes(random, 4096);
    case 5: {  // a frame of 16 MB that does not come
      return Greeting() + std::string("\xff\xff\xff\x00\x00", 5) +
             std::string("\x00\x00\x00\x01", 4);
    }
    default: {
      std::string bytes = Greeting();
      for (int i = 0; i < 20; ++i) bytes += RandomFrame(random);
      return bytes;
    }
  }
}

TEST(PlainBytesTest, TheyDisturbNobodyElse) {
  TestServer::Options options;
  options.listen = {.address = "127.0.0.1:0",
                    .connections = {.handshake_timeout = absl::Seconds(2)}};
  TestServer server(options);
  server.AddFakeModel();
  const auto stub = v1::SaliencyService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()),
                          grpc::InsecureChannelCredentials()));

  std::atomic<bool> over = false;
  int64_t honest = 0;
  std::thread caller([&] {
    while (!over || honest == 0) {
      grpc::ClientContext context;
      v1::ComputeSaliencyResponse response;
      const grpc::Status status =
          stub->ComputeSaliency(&context, FakeRequest(), &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      ++honest;
    }
  });
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Http2Peer peer(server.port());
    peer.Send(Nonsense(random));
    peer.EndSending();
    EXPECT_TRUE(peer.AwaitEnd(absl::Seconds(60))) << "seed " << seed;
  }
  over = true;
  caller.join();
  EXPECT_EQ(server.Metric("saliency_requests_total", {{"code", "OK"}}), honest);
  EXPECT_EQ(server.Metric("saliency_requests_total"), honest)
      << "nothing of it reached a handler";
}

}  // namespace
}  // namespace saliency::plain_bytes_test
