// The target's side of a relayed call.

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpcpp/client_context.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/string_ref.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "goplugin/internal/channel/call_watch.h"
#include "goplugin/internal/channel/handed_interceptor.h"
#include "goplugin/internal/channel/relayed_call.h"

namespace goplugin::internal {
namespace {

// A call that kills the plugin should not kill all that come after it.
constexpr int kMaxRepeats = 2;
// A connection is known to be lost within a fraction of a millisecond of the
// calls that it takes along.
constexpr std::chrono::milliseconds kUntilLossIsKnown(200);
// gRPC's own, which carries Status::error_details.
constexpr char kStatusDetails[] = "grpc-status-details-bin";

using StreamFactory =
    grpc::internal::ClientAsyncReaderWriterFactory<grpc::ByteBuffer,
                                                   grpc::ByteBuffer>;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

grpc_slice SliceOf(const grpc::string_ref& text) {
  return grpc_slice_from_static_buffer(text.data(), text.size());
}

// gRPC takes more from the wire than it sends (a Go plugin may put UTF-8 into
// a trailer), and ends the process that has it send the rest.
bool MayBeSent(const Metadata::value_type& entry) {
  const grpc_slice key = SliceOf(entry.first);
  return grpc_header_key_is_legal(key) != 0 &&
         (grpc_is_binary_header(key) != 0 ||
          grpc_header_nonbin_value_is_legal(SliceOf(entry.second)) != 0);
}

}  // namespace

void RelayedCall::PassTo(std::shared_ptr<CallTarget> target) {
  DropPatience();
  attempt_ = std::make_unique<Attempt>();
  attempt_->target = std::move(target);
  FillContext(attempt_->context);
  {
    const Handover handover(WatchCall(attempt_->target, nullptr),
                            &attempt_->context);
    attempt_->stream.reset(StreamFactory::Create(
        attempt_->target->channel.get(), server_.queue.get(),
        grpc::internal::RpcMethod(ticket_->method.c_str(), ticket_->type),
        &attempt_->context, false, nullptr));
  }
  attempt_->stream->StartCall(Begin(start_));
}

void RelayedCall::FillContext(grpc::ClientContext& context) const {
  context.set_deadline(ticket_->deadline);
  if ((ticket_->flags & GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET) !=
      0) {
    context.set_wait_for_ready(
        (ticket_->flags & GRPC_INITIAL_METADATA_WAIT_FOR_READY) != 0);
  }
  if (ticket_->compression != GRPC_COMPRESS_NONE) {
    context.set_compression_algorithm(ticket_->compression);
  }
  if (ticket_->credentials != nullptr) {
    context.set_credentials(ticket_->credentials);
  }
  // Else it is that of the target's channel, which TLS goes by; never the
  // in-process server's, which gRPC names itself.
  if (!ticket_->authority.empty()) {
    context.set_authority(ticket_->authority);
  }
  for (const auto& entry : context_.client_metadata()) {
    if (entry.first != RelayDesk::kTicketKey) {
      context.AddMetadata(ToString(entry.first), ToString(entry.second));
    }
  }
}

void RelayedCall::OnStart(bool /*ok*/) {
  attempt_->started = true;
  SendRequest();
  attempt_->stream->ReadInitialMetadata(Begin(headers_));
}

void RelayedCall::SendRequest() {
  if (attempt_ == nullptr || !attempt_->started || attempt_->sending ||
      attempt_->sent_all || attempt_->finished) {
    return;
  }
  if (!has_request_ && !has_all_requests_) return;
  attempt_->sending = true;
  attempt_->sent_all = has_all_requests_;
  if (!has_request_) return attempt_->stream->WritesDone(Begin(send_));
  grpc::WriteOptions options;
  if (has_all_requests_) options.set_last_message();
  attempt_->stream->Write(request_, options, Begin(send_));
}

void RelayedCall::OnSent(bool ok) {
  attempt_->sending = false;
  if (!ticket_->repeatable && has_request_) {
    has_request_ = false;
    request_.Clear();
    // Where the target takes no more, the status is on its way.
    if (ok && !has_all_requests_) ReadRequest();
  }
  EndAttempt();
}

void RelayedCall::OnHeaders(bool ok) {
  if (!ok) return ReadAnswer();
  const auto& headers = attempt_->context.GetServerInitialMetadata();
  // An attempt without an answer looks like one with empty headers; those of a
  // call that may be repeated go with its first message.
  if (headers.empty() && ticket_->repeatable) return ReadAnswer();
  answered_ = true;
  for (const auto& entry : headers) {
    if (!MayBeSent(entry)) continue;
    context_.AddInitialMetadata(ToString(entry.first), ToString(entry.second));
  }
  stream_.SendInitialMetadata(Begin(forward_headers_));
}

void RelayedCall::ReadAnswer() {
  attempt_->stream->Read(&answer_, Begin(read_answer_));
}

void RelayedCall::OnAnswer(bool ok) {
  if (!ok) return attempt_->stream->Finish(&attempt_->status, Begin(finish_));
  answered_ = true;
  stream_.Write(answer_, Begin(forward_answer_));
}

void RelayedCall::OnFinish(bool /*ok*/) {
  attempt_->finished = true;
  EndAttempt();
}

void RelayedCall::EndAttempt() {
  if (!attempt_->finished || attempt_->sending) return;
  if (MayRepeat()) {
    grpc::Channel& channel = *attempt_->target->channel;
    if (channel.GetState(false) != GRPC_CHANNEL_READY) return Repeat();
    return channel.NotifyOnStateChange(
        GRPC_CHANNEL_READY,
        std::chrono::system_clock::now() + kUntilLossIsKnown,
        server_.queue.get(), Begin(state_change_));
  }
  PassEnd();
}

void RelayedCall::PassEnd() {
  for (const auto& entry : attempt_->context.GetServerTrailingMetadata()) {
    if (entry.first != kStatusDetails && MayBeSent(entry)) {
      context_.AddTrailingMetadata(ToString(entry.first),
                                   ToString(entry.second));
    }
  }
  End(attempt_->status);
}

bool RelayedCall::MayRepeat() const {
  return ticket_->repeatable && !answered_ && !cancelled_ &&
         repeats_ < kMaxRepeats &&
         attempt_->status.error_code() == grpc::StatusCode::UNAVAILABLE;
}

void RelayedCall::OnStateChange(bool ok) {
  // Still connected: the plugin itself has said UNAVAILABLE.
  if (!ok || cancelled_) return PassEnd();
  Repeat();
}

void RelayedCall::Repeat() {
  ++repeats_;
  left_target_ = attempt_->target;
  last_status_ = attempt_->status;
  attempt_.reset();
  EnterLine();
}

}  // namespace goplugin::internal
