// Who gets a connection when there are too many, and what becomes of a port
// whose process has no file descriptor left: real sockets on loopback.

#include "server/transport/connection_acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/transport/self_dial.h"
#include "tests/server/http2_peer.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"
#include "tests/support/test_authority.h"

namespace saliency::connection_acceptor_test {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

sockaddr_storage AddressFrom(const std::string& text) {
  sockaddr_storage address = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
    address.ss_family = AF_INET6;
  }
  return address;
}

std::string Name(const std::string& text) {
  return PeerName(AddressFrom(text));
}

TEST(PeerNameTest, IsTheAddressOrTheNetworkOfOneCustomer) {
  EXPECT_NE(Name("10.0.0.1"), Name("10.0.0.2"));
  EXPECT_EQ(Name("10.0.0.1"), Name("::ffff:10.0.0.1"));
  EXPECT_EQ(Name("2001:db8:1:2::1"), Name("2001:db8:1:2:ffff::9"));
  EXPECT_NE(Name("2001:db8:1:2::1"), Name("2001:db8:1:3::1"));
}

FileDescriptor ASocket() {
  return FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

TEST(ConnectionLedgerTest, HasNoRoomAsLongAsItIsClosed) {
  ConnectionLedger ledger({});
  const absl::Time now = absl::Now();
  ledger.Close(true);
  EXPECT_EQ(ledger.RoomFor("a", now), Room::kFull);
  ledger.Close(false);
  EXPECT_EQ(ledger.RoomFor("a", now), Room::kFree);
}

TEST(ConnectionLedgerTest, WhatWasClosedMakesRoom) {
  ConnectionLedger ledger({.total = 3, .per_peer = 2});
  absl::Time now = absl::Now();
  std::vector<FileDescriptor> sockets;
  for (const char* peer : {"a", "a", "b"}) {
    ASSERT_EQ(ledger.RoomFor(peer, now), Room::kFree);
    sockets.push_back(ASocket());
    ledger.Enter(sockets.back().get(), peer, absl::StrCat(sockets.size()));
  }
  now += absl::Seconds(1);
  EXPECT_EQ(ledger.RoomFor("c", now), Room::kFull);
  EXPECT_EQ(ledger.Open(now), 3);
  sockets.pop_back();  // b's
  now += absl::Seconds(1);
  EXPECT_EQ(ledger.RoomFor("a", now), Room::kPeerFull);
  EXPECT_EQ(ledger.RoomFor("c", now), Room::kFree);
  EXPECT_EQ(ledger.Open(now + absl::Seconds(1)), 2);
}

// The number of a descriptor says nothing about what it is.
TEST(ConnectionLedgerTest, ANumberThatIsUsedAgainIsAnotherConnection) {
  ConnectionLedger ledger({.total = 1, .per_peer = 1});
  FileDescriptor first = ASocket();
  const int number = first.get();
  ledger.Enter(number, "a", "a:1");
  first = FileDescriptor();
  const FileDescriptor second = ASocket();
  ASSERT_EQ(second.get(), number);
  EXPECT_FALSE(ledger.Find("a:1").has_value());
  EXPECT_EQ(ledger.RoomFor("a", absl::Now()), Room::kFree);
}

TEST(ConnectionLedgerTest, APeerThatWasResetHasNoRoomForAWhile) {
  ConnectionLedger ledger({.total = 10, .per_peer = 10});
  const absl::Time now = absl::Now();
  const FileDescriptor socket = ASocket();
  ledger.Enter(socket.get(), "a", "a:1");
  constexpr absl::Duration kAWhile = absl::Seconds(10);
  ledger.Reset("a:2", now + kAWhile);
  EXPECT_EQ(ledger.RoomFor("a", now), Room::kFree) << "nobody's";
  ledger.Reset("a:1", now + kAWhile);
  EXPECT_EQ(ledger.RoomFor("a", now), Room::kPeerFull);
  EXPECT_EQ(ledger.RoomFor("b", now), Room::kFree);
  EXPECT_EQ(ledger.RoomFor("a", now + kAWhile), Room::kFree);
}

TEST(ConnectionNameTest, IsThatOfGrpc) {
  const auto name = [](const std::string& text) {
    sockaddr_storage address = AddressFrom(text);
    // The port lies at the same place in both families.
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(4711);
    return ConnectionName(address);
  };
  EXPECT_EQ(name("10.0.0.1"), "ipv4:10.0.0.1:4711");
  EXPECT_EQ(name("::ffff:10.0.0.1"), "ipv4:10.0.0.1:4711");
  EXPECT_EQ(name("2001:db8::1"), "ipv6:%5B2001:db8::1%5D:4711");
}

std::unique_ptr<TestServer> Listen(const ConnectionCaps& caps,
                                   const ServerTlsFiles& tls = {}) {
  TestServer::Options options;
  options.listen = {
      .address = "127.0.0.1:0", .tls = tls, .connections = {.caps = caps}};
  auto server = std::make_unique<TestServer>(options);
  server->AddFakeModel();
  return server;
}

grpc::Status CallOn(const TestServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub = v1::ModelService::NewStub(
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server.port()),
                                grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  v1::ListModelsResponse response;
  return stub->ListModels(&context, {}, &response);
}

std::vector<std::unique_ptr<Http2Peer>> Connect(const TestServer& server,
                                                int count) {
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < count; ++i) {
    peers.push_back(std::make_unique<Http2Peer>(server.port()));
    peers.back()->Greet();
  }
  return peers;
}

TEST(ConnectionCapsTest, TooManyOfOnePeerAreHungUpOnAndRoomComesBack) {
  const auto server = Listen({.total = 100, .per_peer = 5});
  ConnectionAcceptor& acceptor = *server->grpc_server().acceptor();
  auto peers = Connect(*server, 5);
  while (acceptor.counts().open < 5) std::this_thread::yield();
  Http2Peer sixth(server->port());
  EXPECT_TRUE(sixth.AwaitEnd(kPatience));
  EXPECT_EQ(CallOn(*server).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_GE(acceptor.counts().refused_peer, 2);
  EXPECT_EQ(acceptor.counts().refused_full, 0);
  for (auto& peer : peers) EXPECT_TRUE(peer->Read(kPatience).has_value());
  peers.clear();
  while (acceptor.counts().open > 0) std::this_thread::yield();
  EXPECT_TRUE(CallOn(*server).ok());
}

TEST(ConnectionCapsTest, TooManyInAllAreHungUpOn) {
  const auto server = Listen({.total = 5, .per_peer = 100});
  ConnectionAcceptor& acceptor = *server->grpc_server().acceptor();
  const auto peers = Connect(*server, 5);
  while (acceptor.counts().open < 5) std::this_thread::yield();
  Http2Peer sixth(server->port());
  EXPECT_TRUE(sixth.AwaitEnd(kPatience));
  EXPECT_EQ(acceptor.counts().refused_full, 1);
  EXPECT_EQ(acceptor.counts().open, 5);
}

// What a caller that goes leaves behind: as many more as may be open at once
// come one after another.
TEST(ConnectionCapsTest, ConnectionsThatComeAndGoDoNotAddUp) {
  const auto server = Listen({.total = 8, .per_peer = 8});
  ConnectionAcceptor& acceptor = *server->grpc_server().acceptor();
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(CallOn(*server).ok()) << i;
    while (acceptor.counts().open > 0) std::this_thread::yield();
  }
  EXPECT_EQ(acceptor.counts().refused_full, 0);
}

// The limit on open files for as long as this lives: what is open, and `more`.
class FewFiles {
 public:
  explicit FewFiles(int more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const FileDescriptor next(open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(next.get() + more);
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewFiles() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_ = {};
};

TEST(FileExhaustionTest, ThePortServesAgainWhenFilesAreFree) {
  const auto server = Listen({.total = 10'000, .per_peer = 10'000});
  ConnectionAcceptor& acceptor = *server->grpc_server().acceptor();
  ASSERT_TRUE(CallOn(*server).ok());
  // This process is both ends: each connection takes two descriptors.
  std::vector<FileDescriptor> callers;
  {
    const FewFiles few(40);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (acceptor.counts().refused_files == 0) {
      FileDescriptor caller = ASocket();
      if (!caller.ok()) continue;  // the acceptor gets its turn
      connect(caller.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address));
      callers.push_back(std::move(caller));
    }
    callers.clear();
  }
  EXPECT_TRUE(CallOn(*server).ok());
}

// Callers of both families, and our own look at it.
TEST(SelfDialTest, APortAtAllAddressesAnswersThoseOfIpv4Too) {
  TestServer::Options options;
  options.listen = {.address = "[::]:0"};
  TestServer server(options);
  EXPECT_TRUE(CallOn(server).ok());
  EXPECT_TRUE(
      DialOnce({.host = "[::]"}, *server.grpc_server().acceptor()).ok());
}

TEST(SelfDialTest, APortThatServesAnswersEvenWhenItIsFull) {
  const auto server = Listen({.total = 2, .per_peer = 2});
  ConnectionAcceptor& acceptor = *server->grpc_server().acceptor();
  EXPECT_TRUE(DialOnce({.host = "127.0.0.1"}, acceptor).ok());
  EXPECT_TRUE(DialOnce({.host = "0.0.0.0"}, acceptor).ok());
  const auto peers = Connect(*server, 2);
  while (acceptor.counts().open < 2) std::this_thread::yield();
  Http2Peer third(server->port());
  EXPECT_TRUE(third.AwaitEnd(kPatience));
  EXPECT_TRUE(DialOnce({.host = "127.0.0.1"}, acceptor).ok());
}

TEST(SelfDialTest, ATlsPortAnswersWithOrWithoutCallersCertificates) {
  const TemporaryFolder folder;
  const TestAuthority authority("an authority");
  const KeyAndCertificate own = authority.Issue("server");
  folder.Write("cert.pem", own.cert);
  folder.Write("key.pem", own.key);
  folder.Write("ca.pem", authority.cert());
  ServerTlsFiles tls = {.cert = folder / "cert.pem", .key = folder / "key.pem"};
  for (const std::string& ca : {std::string(), folder / "ca.pem"}) {
    tls.client_ca = ca;
    const auto server = Listen({}, tls);
    const absl::Status met = DialOnce({.host = "127.0.0.1", .tls = true},
                                      *server->grpc_server().acceptor());
    EXPECT_TRUE(met.ok()) << met;
  }
}

// A port that takes connections and never says anything.
TEST(SelfDialTest, APortThatDoesNotAnswerIsToldOnceAndAgainWhenItDoes) {
  std::vector<int> taken;
  Mutex mu;
  bool answering = false;
  ConnectionLedger ledger{ConnectionCaps()};
  ConnectionAcceptor acceptor(
      ListeningSockets::Bind("127.0.0.1:0", "--listen-address").value(), ledger,
      [&](int fd) {
        MutexLock lock(&mu);
        if (answering) send(fd, "x", 1, MSG_NOSIGNAL);
        taken.push_back(fd);
      });
  LogLines lines;
  Log log(LogFormat::kText, LogLevel::kInfo, lines.Sink());
  std::vector<bool> told;
  const auto told_times = [&](size_t times) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      MutexLock lock(&mu);
      if (told.size() == times) return true;
    }
    return false;
  };
  {
    const SelfDial dial({.host = "127.0.0.1",
                         .every = absl::Milliseconds(10),
                         .idle_timeout = absl::Milliseconds(50)},
                        acceptor, Clock::Real(), log, [&](bool answers) {
                          MutexLock lock(&mu);
                          told.push_back(answers);
                        });
    EXPECT_TRUE(told_times(1));
    {
      MutexLock lock(&mu);
      answering = true;
    }
    EXPECT_TRUE(told_times(2));
  }
  EXPECT_EQ(told, (std::vector<bool>{false, true}));
  EXPECT_THAT(lines.all().front(), testing::HasSubstr("is not answered"));
  for (const int fd : taken) close(fd);
}

}  // namespace
}  // namespace saliency::connection_acceptor_test
