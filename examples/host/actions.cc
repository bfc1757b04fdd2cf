#include "examples/host/actions.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "examples/proto/kv.grpc.pb.h"

namespace host {
namespace {

using goplugin::Client;

// A plugin is a program like any other: it may hang. So every call has an end.
void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
}

absl::Status Put(Client& client, const Arguments& arguments, Console& console) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::PutRequest request;
  request.set_key(arguments.key);
  request.set_value(arguments.value);
  proto::Empty response;
  const grpc::Status status =
      client.NewStub<proto::KV>()->Put(&context, request, &response);
  // Explain knows more than gRPC: whether the plugin crashed, and how.
  if (!status.ok()) return client.Explain(status);
  console.Say("put", absl::StrCat(arguments.key, " = ", arguments.value),
              Console::Tone::kGood);
  return absl::OkStatus();
}

absl::Status Get(Client& client, const Arguments& arguments, Console& console) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::GetRequest request;
  request.set_key(arguments.key);
  proto::GetResponse response;
  const grpc::Status status =
      client.NewStub<proto::KV>()->Get(&context, request, &response);
  if (!status.ok()) return client.Explain(status);
  console.Say("get", absl::StrCat(arguments.key, " = ", response.value()),
              Console::Tone::kGood);
  return absl::OkStatus();
}

}  // namespace

absl::Status Act(Client& client, const Arguments& arguments, Console& console) {
  if (arguments.action == Arguments::Action::kGet) {
    return Get(client, arguments, console);
  }
  absl::Status put = Put(client, arguments, console);
  if (!put.ok() || arguments.action == Arguments::Action::kPut) return put;
  return Get(client, arguments, console);
}

}  // namespace host
