#ifndef GOPLUGIN_INTERNAL_CHANNEL_HANDED_INTERCEPTOR_H_
#define GOPLUGIN_INTERNAL_CHANNEL_HANDED_INTERCEPTOR_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <utility>

namespace goplugin::internal {

// gRPC asks a channel's factories for interceptors while it makes a call, and
// keeps them until the call's ClientContext goes. This factory, which a channel
// has to be made with, gives a call the interceptor that a Handover has for it,
// and others none: those cost nothing more.
//
// Last among the factories, so that it is nearest to the wire, and gRPC's
// numbering of the others stays.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>
HandedInterceptorFactory();

// Hands an interceptor to the call that this thread makes with `context` while
// this lives. Where the call's channel has no such factory, the interceptor
// ends with this.
class Handover {
 public:
  Handover(std::unique_ptr<grpc::experimental::Interceptor> interceptor,
           const grpc::ClientContext* context);
  ~Handover();
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  // The factory's: what is handed to the call with `context`; may be null.
  static std::unique_ptr<grpc::experimental::Interceptor> Take(
      const grpc::ClientContext* context);

 private:
  std::unique_ptr<grpc::experimental::Interceptor> interceptor_;
  const grpc::ClientContext* const context_;
  // A factory of the user's may make calls of its own.
  Handover* const outer_;
};

// Keeps what a call needs until its context goes, and nothing else.
class CallKeeper : public grpc::experimental::Interceptor {
 public:
  explicit CallKeeper(std::shared_ptr<const void> kept)
      : kept_(std::move(kept)) {}
  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  const std::shared_ptr<const void> kept_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_HANDED_INTERCEPTOR_H_
