#ifndef EXAMPLES_INSPECT_GENERIC_CALL_H_
#define EXAMPLES_INSPECT_GENERIC_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

// Calls by the name of a method and with bytes, for messages that only become
// known at run time. Everything blocks, at most `timeout`.

namespace inspect {

// One request, one answer. `path` is "/package.Service/Method".
grpc::Status CallUnary(const std::shared_ptr<grpc::Channel>& channel,
                       const std::string& path, const std::string& request,
                       absl::Duration timeout, std::string* answer);

// A stream on which each request has one answer. Not thread-safe.
class QuestionStream {
 public:
  QuestionStream(const std::shared_ptr<grpc::Channel>& channel,
                 const std::string& path, absl::Duration timeout);
  // Cancels what is left of it.
  ~QuestionStream();
  QuestionStream(const QuestionStream&) = delete;
  QuestionStream& operator=(const QuestionStream&) = delete;

  // False when the stream is over: Finish says why.
  bool Ask(const std::string& question, std::string* answer);
  // Ends the stream; once, after the last question. What the other side has not
  // ended within `patience` is cancelled.
  grpc::Status Finish(absl::Duration patience);

 private:
  // Waits for the operation under way.
  bool Wait();

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  bool finished_ = false;
};

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_GENERIC_CALL_H_
