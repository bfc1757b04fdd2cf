#include "caller.h"

#include <dlfcn.h>
#include <grpcpp/grpcpp.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "goplugin/discover.h"
#include "kv.grpc.pb.h"

namespace {

// In this file alone, so that its address is this file's in any case.
void Here() {}

const void* LoadedFileOf(void* code) {
  Dl_info info;
  return dladdr(code, &info) != 0 ? info.dli_fbase : nullptr;
}

}  // namespace

bool HasItsOwnSdk() {
  const void* here = LoadedFileOf(reinterpret_cast<void*>(&Here));
  return here != nullptr &&
         here == LoadedFileOf(reinterpret_cast<void*>(&goplugin::Discover));
}

bool Caller::Launch(const std::string& plugin) {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Launch(goplugin::Command{plugin}, options);
  if (!client.ok()) return Say(std::string(client.status().message()));
  client_ = *std::move(client);
  return true;
}

bool Caller::PutAndGet() {
  std::unique_ptr<proto::KV::Stub> kv = client_->NewStub<proto::KV>();
  proto::PutRequest put;
  put.set_key(name_);
  put.set_value("hello from " + name_);
  proto::Empty empty;
  grpc::ClientContext put_context;
  grpc::Status status = kv->Put(&put_context, put, &empty);
  if (!status.ok()) return Say("Put: " + status.error_message());

  proto::GetRequest get;
  get.set_key(name_);
  proto::GetResponse response;
  grpc::ClientContext get_context;
  status = kv->Get(&get_context, get, &response);
  if (!status.ok()) return Say("Get: " + status.error_message());
  // Some plugins add a remark of their own.
  return response.value().rfind(put.value(), 0) == 0 ||
         Say("Get: " + response.value());
}

bool Caller::Shutdown() {
  const absl::Status bye = client_->Shutdown();
  client_.reset();
  return bye.ok() || Say(std::string(bye.message()));
}

bool Caller::Say(const std::string& what) const {
  std::cerr << name_ << ": " << what << "\n";
  return false;
}
