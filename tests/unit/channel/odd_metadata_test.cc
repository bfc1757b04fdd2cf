// Metadata that gRPC takes from the wire and would not send itself: a relayed
// call must not hand it on.
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

using grpc::StatusCode;

// A server of HTTP/2 that ends each call with what it was told to send, byte
// for byte.
class RawServer {
 public:
  // HPACK, without an index: "name: value".
  static std::string Header(const std::string& name, const std::string& value) {
    return std::string(1, '\0') + static_cast<char>(name.size()) + name +
           static_cast<char>(value.size()) + value;
  }

  // `target`: "unix-abstract:name".
  RawServer(const std::string& target, std::string initial,
            std::string trailing)
      : initial_(std::move(initial)), trailing_(std::move(trailing)) {
    const std::string name = target.substr(target.find(':') + 1);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                          name.size())),
              0);
    EXPECT_EQ(listen(listener_, 8), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~RawServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

 private:
  static constexpr char kHeaders = 1;
  static constexpr char kSettings = 4;
  static constexpr char kPing = 6;
  static constexpr char kAck = 1;
  static constexpr char kEndStream = 1;
  static constexpr char kEndHeaders = 4;

  static std::string Frame(char type, int flags, const std::string& stream,
                           const std::string& body) {
    return std::string({'\0', static_cast<char>(body.size() >> 8),
                        static_cast<char>(body.size()), type,
                        static_cast<char>(flags)}) +
           stream + body;
  }

  static bool Read(int connection, size_t size, std::string& bytes) {
    bytes.assign(size, '\0');
    return size == 0 || recv(connection, &bytes[0], size, MSG_WAITALL) ==
                            static_cast<ssize_t>(size);
  }
  static void Write(int connection, const std::string& bytes) {
    send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void Serve() {
    while (true) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      Answer(connection);
      close(connection);
    }
  }

  void Answer(int connection) const {
    const std::string no_stream(4, '\0');
    Write(connection, Frame(kSettings, 0, no_stream, ""));
    std::string head;
    std::string body;
    if (!Read(connection, 24, head)) return;  // the preface
    while (Read(connection, 9, head)) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(head.data());
      const size_t size =
          (size_t{bytes[0]} << 16) | (size_t{bytes[1]} << 8) | bytes[2];
      if (!Read(connection, size, body)) return;
      const std::string stream = head.substr(5);
      const bool is_ack = (head[4] & kAck) != 0;
      if (head[3] == kSettings && !is_ack) {
        Write(connection, Frame(kSettings, kAck, no_stream, ""));
      } else if (head[3] == kPing && !is_ack) {
        Write(connection, Frame(kPing, kAck, no_stream, body));
      } else if (head[3] == kHeaders) {
        Write(connection,
              Frame(kHeaders, kEndHeaders, stream,
                    "\x88" + Header("content-type", "application/grpc") +
                        initial_) +
                  Frame(kHeaders, kEndHeaders | kEndStream, stream,
                        Header("grpc-status", "9") + trailing_));
      }
    }
  }

  const std::string initial_;
  const std::string trailing_;
  int listener_ = -1;
  std::thread thread_;
};

struct Odd {
  const char* name;
  std::string header;
};

class OddMetadataTest : public ::testing::TestWithParam<Odd> {
 protected:
  // What a relayed call to a plugin that sends this ends with.
  static grpc::Status Ask(const std::string& initial,
                          const std::string& trailing,
                          grpc::ClientContext& context) {
    const std::string address = NewTarget();
    const RawServer server(address, initial, trailing);
    Passing passing({}, /*all_wait=*/true);
    passing.router->SetTarget(TargetAt(address));
    context.set_deadline(Soon());
    Message response;
    return passing.stub->One(&context, MessageOf("hello"), &response);
  }
};

TEST_P(OddMetadataTest, AtTheBeginning) {
  grpc::ClientContext context;
  const grpc::Status status =
      Ask(GetParam().header + RawServer::Header("good", "1"), "", context);
  if (status.error_code() == StatusCode::FAILED_PRECONDITION) {
    EXPECT_EQ(context.GetServerInitialMetadata().count("good"), 1u);
  } else {
    EXPECT_FALSE(status.ok());  // gRPC has refused it before
  }
}

TEST_P(OddMetadataTest, AtTheEnd) {
  grpc::ClientContext context;
  const grpc::Status status =
      Ask("", GetParam().header + RawServer::Header("good", "1"), context);
  if (status.error_code() == StatusCode::FAILED_PRECONDITION) {
    EXPECT_EQ(context.GetServerTrailingMetadata().count("good"), 1u);
  } else {
    EXPECT_FALSE(status.ok());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Headers, OddMetadataTest,
    ::testing::Values(
        Odd{"NotAscii", RawServer::Header("x-error",
                                          "Gr\xc3\xb6\xc3\x9f"
                                          "e")},
        Odd{"ControlCharacters", RawServer::Header("x-error", "a\x01\tb")},
        Odd{"EmptyValue", RawServer::Header("x-empty", "")},
        Odd{"UpperCase", RawServer::Header("X-Error", "a")},
        Odd{"BlankInTheKey", RawServer::Header("x error", "a")},
        Odd{"KeyNotAscii", RawServer::Header("x-\xc3\xb6", "a")},
        Odd{"EmptyKey", RawServer::Header("", "a")},
        Odd{"NoBase64", RawServer::Header("x-bin", "\xff\xfe")},
        Odd{"Compression",
            RawServer::Header("grpc-internal-encoding-request", "gzip")},
        Odd{"NoSuchCompression",
            RawServer::Header("grpc-internal-encoding-request", "none such")},
        Odd{"Host", RawServer::Header("host", "elsewhere")},
        Odd{"Retries", RawServer::Header("grpc-previous-rpc-attempts", "7")},
        Odd{"Pushback", RawServer::Header("grpc-retry-pushback-ms", "7")},
        Odd{"StatusDetails",
            RawServer::Header("grpc-status-details-bin", "AAAA") +
                RawServer::Header("grpc-status-details-bin", "BBBB")},
        Odd{"Message", RawServer::Header("grpc-message", "\xff%ff%")},
        Odd{"Pseudo", RawServer::Header(":path", "/x")}),
    [](const ::testing::TestParamInfo<Odd>& param) {
      return std::string(param.param.name);
    });

}  // namespace
}  // namespace goplugin::internal
