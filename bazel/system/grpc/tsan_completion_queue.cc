// Tells ThreadSanitizer how gRPC hands work from thread to thread
// (--config=tsan only).
//
// The system's gRPC is not instrumented, so TSan doesn't see that whatever was
// written before an operation began is there for the thread that takes its
// completion from the queue. The functions here take the place of the library's
// and call it; see also tsan_mutex.cc in the Abseil shim.

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

namespace {

template <typename Function>
Function Original(Function, const char* name) {
  void* original = dlsym(RTLD_NEXT, name);
  if (original == nullptr) {
    std::fprintf(stderr, "tsan_completion_queue.cc: no original for %s\n",
                 name);
    std::abort();
  }
  return reinterpret_cast<Function>(original);
}

}  // namespace

// A completion in gRPC's callback API reaches its function by a pointer that
// can't be replaced. What such a function does goes unchecked. A server's
// thread hands calls of no method it knows to others, in the library alone; but
// what it hands on is made by functions of gRPC's headers, whose instrumented
// copies are the ones that are linked.
extern "C" const char* __tsan_default_suppressions() {
  return "race:grpc::internal::Callback\nrace:grpc::Server::SyncRequest\n";
}

extern "C" grpc_call_error grpc_call_start_batch(grpc_call* call,
                                                 const grpc_op* ops,
                                                 size_t nops, void* tag,
                                                 void* reserved) {
  static const auto original =
      Original(&grpc_call_start_batch, "grpc_call_start_batch");
  __tsan_release(tag);
  return original(call, ops, nops, tag, reserved);
}

extern "C" grpc_call_error grpc_server_request_call(
    grpc_server* server, grpc_call** call, grpc_call_details* details,
    grpc_metadata_array* request_metadata,
    grpc_completion_queue* cq_bound_to_call,
    grpc_completion_queue* cq_for_notification, void* tag_new) {
  static const auto original =
      Original(&grpc_server_request_call, "grpc_server_request_call");
  __tsan_release(tag_new);
  return original(server, call, details, request_metadata, cq_bound_to_call,
                  cq_for_notification, tag_new);
}

extern "C" grpc_call_error grpc_server_request_registered_call(
    grpc_server* server, void* registered_method, grpc_call** call,
    gpr_timespec* deadline, grpc_metadata_array* request_metadata,
    grpc_byte_buffer** optional_payload,
    grpc_completion_queue* cq_bound_to_call,
    grpc_completion_queue* cq_for_notification, void* tag_new) {
  static const auto original = Original(&grpc_server_request_registered_call,
                                        "grpc_server_request_registered_call");
  __tsan_release(tag_new);
  return original(server, registered_method, call, deadline, request_metadata,
                  optional_payload, cq_bound_to_call, cq_for_notification,
                  tag_new);
}

extern "C" grpc_event grpc_completion_queue_next(grpc_completion_queue* cq,
                                                 gpr_timespec deadline,
                                                 void* reserved) {
  static const auto original =
      Original(&grpc_completion_queue_next, "grpc_completion_queue_next");
  const grpc_event event = original(cq, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}
