#ifndef TESTS_SUPPORT_CALLS_CALLS_SERVICE_H_
#define TESTS_SUPPORT_CALLS_CALLS_SERVICE_H_

#include <grpcpp/server.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"

namespace goplugin::testing {

// Answers by the first message's command:
//   ""            its text; Split as often as it says, Collect with the number
//                 of messages, Talk each message
//   "fail"        FAILED_PRECONDITION, with details
//   "unavailable" UNAVAILABLE, from the service itself
//   "hang"        nothing until it is cancelled
//   "hang-after"  Split only: one message, then as "hang"
//   "compress"    compressed
// The client's metadata "echo" and "echo-bin" come back as initial metadata
// with "initial-" before them, and as trailing metadata with "trailing-".
class CallsService final : public Calls::Service {
 public:
  // Calls that were begun, hang now, and were cancelled.
  int begun() const { return begun_; }
  int hanging() const { return hanging_; }
  int cancelled() const { return cancelled_; }
  // The last call's time until its deadline.
  std::chrono::system_clock::duration time_left() const;
  // Sleepless: until `count` calls hang.
  void WaitUntilHanging(int count);

  grpc::Status One(grpc::ServerContext* context, const Message* request,
                   Message* response) override;
  grpc::Status Collect(grpc::ServerContext* context,
                       grpc::ServerReader<Message>* reader,
                       Message* response) override;
  grpc::Status Split(grpc::ServerContext* context, const Message* request,
                     grpc::ServerWriter<Message>* writer) override;
  grpc::Status Talk(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<Message, Message>* stream) override;

 private:
  void Begin(grpc::ServerContext& context);
  grpc::Status Obey(grpc::ServerContext& context, const std::string& command);
  grpc::Status Hang(grpc::ServerContext& context);

  std::atomic<int> begun_{0};
  std::atomic<int> cancelled_{0};
  std::atomic<int> hanging_{0};
  std::atomic<std::int64_t> time_left_{0};
};

// A server of that service.
class CallsServer {
 public:
  // `target`: "unix-abstract:name". Starts.
  explicit CallsServer(const std::string& target);
  // Ends the calls under way as the death of a process does: UNAVAILABLE.
  ~CallsServer();

  CallsService& service() { return service_; }

 private:
  CallsService service_;
  std::unique_ptr<grpc::Server> server_;
};

// An abstract socket's name that no other server of this machine has.
std::string NewTarget();

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_CALLS_CALLS_SERVICE_H_
