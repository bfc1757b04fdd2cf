// A multiplexed plugin that misbehaves on request, by the keys of KV.Get:
//
//   frames:HEX     writes these bytes into the connection, between two frames
//   close          closes the connection
//   knock:ID       knocks
//   ack:ID         acknowledges a knock, asked or not
//   refuse:ID      refuses it
//   answer:HOW     what becomes of knocks from now on: silent (default), ack,
//   or
//                  wrong (the next id is acknowledged in its place)
//   heard          what the host has said on the broker's stream, one per line
//   exit:CODE
//
// Flags: --deaf takes the connection and reads nothing from it; --absent
// announces a place where nobody listens.

#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/internal/broker/conn_info.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"
#include "goplugin/internal/endpoint/local_end.h"
#include "goplugin/internal/files/bound_socket.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/internal/text/hex.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/plugins/lifetime.h"

namespace goplugin::testing {
namespace {

using internal::Multiplexer;
using internal::UniqueFd;
using Stream = grpc::ServerReaderWriter<wire::ConnInfo, wire::ConnInfo>;

// The broker's stream, without a broker.
class Mouth final : public grpc::Service {
 public:
  Mouth() {
    using grpc::internal::RpcMethod;
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/plugin.GRPCBroker/StartStream", RpcMethod::BIDI_STREAMING,
        new grpc::internal::BidiStreamingHandler<Mouth, wire::ConnInfo,
                                                 wire::ConnInfo>(
            [this](Mouth*, grpc::ServerContext*, Stream* stream) {
              return Listen(stream);
            },
            this)));
  }

  void Say(const wire::ConnInfo& info) {
    internal::MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(this, &Mouth::IsOpen));
    stream_->Write(info);
  }
  void set_answer(absl::string_view how) {
    internal::MutexLock lock(mutex_);
    answer_ = std::string(how);
  }
  std::string heard() const {
    internal::MutexLock lock(mutex_);
    return absl::StrJoin(heard_, "\n");
  }

 private:
  bool IsOpen() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stream_ != nullptr;
  }

  grpc::Status Listen(Stream* stream) {
    SetStream(stream);
    wire::ConnInfo info;
    while (stream->Read(&info)) {
      internal::MutexLock lock(mutex_);
      Hear(info);
    }
    SetStream(nullptr);
    return grpc::Status::OK;
  }

  void SetStream(Stream* stream) {
    internal::MutexLock lock(mutex_);
    stream_ = stream;
  }

  void Hear(const wire::ConnInfo& info) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool ack = info.knock().ack();
    heard_.push_back(absl::StrCat(ack ? "answer " : "knock ", info.service_id(),
                                  " ", info.knock().error()));
    if (ack || answer_ == "silent") return;
    const std::uint32_t id = info.service_id() + (answer_ == "wrong" ? 1 : 0);
    stream_->Write(internal::AnswerTo(id, ""));
  }

  mutable absl::Mutex mutex_;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::string answer_ ABSL_GUARDED_BY(mutex_) = "silent";
  std::vector<std::string> heard_ ABSL_GUARDED_BY(mutex_);
};

class Mischief final : public proto::KV::Service {
 public:
  explicit Mischief(Mouth& mouth) : mouth_(mouth) {}

  void set_connection(int connection) { connection_ = connection; }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    absl::string_view key = request->key();
    if (absl::ConsumePrefix(&key, "frames:")) {
      const std::string bytes = internal::DecodeHex(key);
      if (write(connection_, bytes.data(), bytes.size()) < 0) abort();
    } else if (absl::ConsumePrefix(&key, "answer:")) {
      mouth_.set_answer(key);
    } else if (absl::ConsumePrefix(&key, "knock:")) {
      mouth_.Say(internal::KnockAt(Number(key)));
    } else if (absl::ConsumePrefix(&key, "ack:")) {
      mouth_.Say(internal::AnswerTo(Number(key), ""));
    } else if (absl::ConsumePrefix(&key, "refuse:")) {
      mouth_.Say(internal::AnswerTo(Number(key), "not today"));
    } else if (absl::ConsumePrefix(&key, "exit:")) {
      _exit(static_cast<int>(Number(key)));
    } else if (key == "close") {
      shutdown(connection_, SHUT_RDWR);
    } else if (key == "heard") {
      response->set_value(mouth_.heard());
    }
    return grpc::Status::OK;
  }

 private:
  static std::uint32_t Number(absl::string_view text) {
    std::uint32_t number = 0;
    if (!absl::SimpleAtoi(text, &number)) abort();
    return number;
  }

  Mouth& mouth_;
  int connection_ = -1;
};

std::string SocketDirectory() {
  const char* directory = std::getenv("PLUGIN_UNIX_SOCKET_DIR");
  return directory == nullptr ? "/tmp" : directory;
}

UniqueFd AcceptHost(bool absent) {
  const absl::StatusOr<internal::Directory> directory =
      internal::Directory::Open(SocketDirectory());
  if (!directory.ok()) abort();
  const std::string path = directory->PathOf("open");
  absl::StatusOr<UniqueFd> listener = UniqueFd();
  if (!absent) {
    listener = internal::BindSocket(*directory, "open", 0600, absl::nullopt);
    if (!listener.ok() || listen(listener->get(), 64) != 0) abort();
  }
  std::printf("1|1|unix|%s|grpc||true\n", path.c_str());
  std::fflush(stdout);
  while (absent) pause();
  // It does not block; the test's host is quick.
  while (true) {
    UniqueFd connection(
        accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK));
    if (connection.valid()) return connection;
    usleep(1000);
  }
}

int Main(const std::string& flag) {
  LimitLifetime(120);
  Mouth mouth;
  Mischief mischief(mouth);
  grpc::ServerBuilder builder;
  const std::shared_ptr<internal::ConnectionIntake> intake =
      internal::ConnectionIntake::AddTo(builder,
                                        grpc::InsecureServerCredentials());
  builder.RegisterService(&mouth);
  builder.RegisterService(&mischief);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  UniqueFd connection = AcceptHost(flag == "--absent");
  if (flag == "--deaf") pause();
  mischief.set_connection(dup(connection.get()));
  internal::EventLoop loop;
  Multiplexer::Options options;
  options.role = internal::YamuxRole::kServer;
  options.peer = "host";
  options.main_server = [intake](internal::LocalEnd stream) {
    intake->Take(std::move(stream));
  };
  options.place = internal::PlaceForStreams();
  options.warn = [](const std::string&) {};
  const auto multiplexer = Multiplexer::Create(loop, std::move(options));
  multiplexer->Start(std::move(connection));
  while (true) pause();
}

}  // namespace
}  // namespace goplugin::testing

int main(int argc, char** argv) {
  return goplugin::testing::Main(argc > 1 ? argv[1] : "");
}
