// A key-value plugin written with this SDK. Any go-plugin host can run it: the
// examples beside it, or HashiCorp's own in Go.

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/statusor.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/logger.h"
#include "goplugin/reattach.h"
#include "goplugin/server.h"

namespace {

// A key becomes part of a file's name, and must not lead out of the directory.
bool IsKey(const std::string& key) {
  return !key.empty() && key.size() <= 200 &&
         std::all_of(key.begin(), key.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

grpc::Status BadKey() {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                      "a key is 1 to 200 letters, digits, '_', '-' or '.'");
}

grpc::Status FileError(const std::string& what) {
  const bool missing = errno == ENOENT;
  return grpc::Status(
      missing ? grpc::StatusCode::NOT_FOUND : grpc::StatusCode::INTERNAL,
      what + ": " + std::strerror(errno));
}

// Keeps each key in a file kv_KEY of the working directory. gRPC calls it from
// many threads; the file system does the rest.
class KvService final : public proto::KV::Service {
 public:
  grpc::Status Put(grpc::ServerContext*, const proto::PutRequest* request,
                   proto::Empty*) override {
    if (!IsKey(request->key())) return BadKey();
    log_.Info("put", {{"key", request->key()}});
    // What a plugin prints reaches the host as well, over GRPCStdio.
    std::printf("storing %s\n", request->key().c_str());
    const std::string path = "kv_" + request->key();
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << request->value() << "\n\nWritten from plugin_cpp";
    file.close();
    return file ? grpc::Status::OK : FileError("put " + path);
  }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    if (!IsKey(request->key())) return BadKey();
    const std::string path = "kv_" + request->key();
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      grpc::Status error = FileError("get " + path);
      log_.Warn("no such key", {{"key", request->key()}});
      return error;
    }
    response->mutable_value()->assign(std::istreambuf_iterator<char>(file), {});
    log_.Debug("get", {{"key", request->key()}});
    return grpc::Status::OK;
  }

 private:
  // Each line becomes a log entry of the host, with level and fields.
  const goplugin::Logger log_{{"kv"}};
};

// Tells a person what hosts need to find this plugin.
void PrintReattach(const goplugin::TestServer& server) {
  const absl::StatusOr<std::string> text =
      goplugin::FormatReattachProviders({{"kv", server.reattach_config}});
  std::printf("Serving until Ctrl-C. For the host:\n%s\n",
              text.ok() ? text->c_str() : "(its address is no UTF-8)");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  KvService kv;
  goplugin::ServeOptions options;
  // The host must hold the same two values.
  options.magic_cookie_key = "BASIC_PLUGIN";
  options.magic_cookie_value = "hello";
  options.services = {{1, {&kv}}};
  // Started by hand, under a debugger for one: hosts reattach to it.
  if (argc > 1 && std::strcmp(argv[1], "--debug") == 0) {
    options.test_mode = PrintReattach;
  }
  return goplugin::Serve(options);
}
