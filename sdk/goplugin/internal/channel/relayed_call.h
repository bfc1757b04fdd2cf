#ifndef GOPLUGIN_INTERNAL_CHANNEL_RELAYED_CALL_H_
#define GOPLUGIN_INTERNAL_CHANNEL_RELAYED_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/string_ref.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/relay_desk.h"
#include "goplugin/internal/channel/waiting_line.h"
#include "goplugin/internal/loop/stopwatch.h"

namespace goplugin::internal {

inline std::string ToString(const grpc::string_ref& text) {
  return std::string(text.data(), text.size());
}

// What a relayed call works with: the in-process server that the callers' own
// calls arrive at. Outlives the calls.
struct RelayServer {
  grpc::AsyncGenericService service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::shared_ptr<RelayDesk> desk;
};

// One call that arrived at the relay's server: waits in its line, and is then
// made again at a target, as bytes, in both directions at once and a message at
// a time. Owns itself until it is over. On the relay's thread.
//
//   arrival -> waiting -> passed -> answered -> over
//                 ^          |
//                 +----------+  the target died, and it may be repeated
class RelayedCall final : private WaitingLine::Waiter {
 public:
  // Lets one more call arrive; that has the next arrive.
  static void AwaitNext(RelayServer& server);

 private:
  // A completed operation of this call.
  template <void (RelayedCall::*Done)(bool)>
  class Step final : public RelayStep {
   public:
    explicit Step(RelayedCall* call) : call_(call) {}
    void Run(bool ok) override { call_->OnStep(Done, ok); }

   private:
    RelayedCall* const call_;
  };

  // The end of a wait. Lives until its tag has come, also where it was
  // cancelled: gRPC 1.51 has no hold of an alarm whose timer goes off just
  // then.
  class Patience final : public RelayStep {
   public:
    explicit Patience(RelayedCall* call) : call_(call) {}
    void Set(gpr_timespec end);
    void Cancel() { alarm_.Cancel(); }
    void Run(bool ok) override;

   private:
    RelayedCall* const call_;
    grpc::Alarm alarm_;
  };

  // The call that was made at a target.
  struct Attempt {
    std::shared_ptr<CallTarget> target;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    bool started = false;
    bool sending = false;
    bool sent_all = false;
    bool finished = false;
    grpc::Status status;
  };

  explicit RelayedCall(RelayServer& server);
  ~RelayedCall() = default;

  // Counts the operation that gets the tag, until OnStep.
  template <typename Tag>
  void* Begin(Tag& step) {
    ++pending_;
    return step.tag();
  }
  void OnStep(void (RelayedCall::*done)(bool), bool ok);

  // The caller's side.
  void OnArrival(bool ok);
  void OnCallerEnd(bool ok);
  void ReadRequest();
  void OnRequest(bool ok);
  void OnHeadersForwarded(bool ok);
  void OnAnswerForwarded(bool ok);
  void TakeTicket();
  void End(const grpc::Status& status);
  void OnEnd(bool /*ok*/) {}

  // In the line.
  void EnterLine();
  bool Look(CallRouter& router) override;
  bool IsCall() const override { return !ticket_->watched_state.has_value(); }
  bool IsGone(const CallTarget& target) const;
  bool Waits() const;
  void SetPatience();
  void DropPatience();
  void OnPatienceEnd(bool ok);

  // The target's side.
  void PassTo(std::shared_ptr<CallTarget> target);
  void FillContext(grpc::ClientContext& context) const;
  void OnStart(bool ok);
  void SendRequest();
  void OnSent(bool ok);
  void OnHeaders(bool ok);
  void ReadAnswer();
  void OnAnswer(bool ok);
  void OnFinish(bool ok);
  void EndAttempt();
  void PassEnd();
  void OnStateChange(bool ok);
  void Repeat();
  bool MayRepeat() const;

  RelayServer& server_;
  std::shared_ptr<const RelayTicket> ticket_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  // Operations under way, on both sides.
  int pending_ = 0;
  bool arrived_ = false;
  bool cancelled_ = false;
  bool ending_ = false;

  grpc::ByteBuffer request_;
  bool has_request_ = false;
  bool has_all_requests_ = false;

  std::unique_ptr<Attempt> attempt_;
  grpc::ByteBuffer answer_;
  // Something of an answer came.
  bool answered_ = false;
  int repeats_ = 0;
  // Where the last attempt was, and how it ended.
  std::shared_ptr<CallTarget> left_target_;
  grpc::Status last_status_;
  // Null where none is set, or it was dropped.
  Patience* patience_ = nullptr;
  Stopwatch since_patience_;
  absl::Duration patience_for_;
  // When its patience is over, it ends, to say what it waited for.
  bool last_moment_ = false;

  Step<&RelayedCall::OnArrival> arrival_{this};
  Step<&RelayedCall::OnCallerEnd> caller_end_{this};
  Step<&RelayedCall::OnRequest> read_request_{this};
  Step<&RelayedCall::OnHeadersForwarded> forward_headers_{this};
  Step<&RelayedCall::OnAnswerForwarded> forward_answer_{this};
  Step<&RelayedCall::OnEnd> end_{this};
  Step<&RelayedCall::OnStart> start_{this};
  Step<&RelayedCall::OnSent> send_{this};
  Step<&RelayedCall::OnHeaders> headers_{this};
  Step<&RelayedCall::OnAnswer> read_answer_{this};
  Step<&RelayedCall::OnFinish> finish_{this};
  Step<&RelayedCall::OnStateChange> state_change_{this};
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_RELAYED_CALL_H_
