#ifndef TESTS_BENCHMARKS_SESSION_H_
#define TESTS_BENCHMARKS_SESSION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "tests/benchmarks/flags.h"

namespace goplugin::benchmarks {

// The clock of all measurements: steady, unlike absl::Now().
absl::Duration Clock();

// Ends the program with the error, if there is one.
void Must(const absl::Status& status);
void Must(const grpc::Status& status);

ClientOptions OptionsOf(const Flags& flags);
Command CommandOf(const Flags& flags);

// Single calls of a KV service, each with 30 s like those of go_host.
class Kv {
 public:
  explicit Kv(std::unique_ptr<proto::KV::Stub> stub) : stub_(std::move(stub)) {}
  void Put(const std::string& key, const std::string& value) const;
  std::string Get(const std::string& key) const;

 private:
  std::unique_ptr<proto::KV::Stub> stub_;
};

// One launched plugin, and what it took. Times count from the call of Launch.
struct Session {
  std::unique_ptr<Client> client;
  std::unique_ptr<Kv> kv;
  absl::Duration reply;  // the first Put was answered
};
Session Launch(const Flags& flags);
Session Launch(const Flags& flags, const ClientOptions& options);

// A channel that a program without this SDK would make.
std::shared_ptr<grpc::Channel> RawChannel(const std::string& socket,
                                          const Flags& flags);

}  // namespace goplugin::benchmarks

#endif  // TESTS_BENCHMARKS_SESSION_H_
