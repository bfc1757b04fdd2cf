// A plugin on this SDK's Serve that the tests set up: KV, kept in memory, and
// the service of go-plugin's examples/streaming.
//
//   serve_plugin [--versions=1,2] [--network=unix,tcp]
//                [--tls_roots=FILE --tls_cert=FILE --tls_key=FILE]
//                [--outlives_host]
//                [--after=FILE]: made once Serve has returned

#include <grpcpp/security/server_credentials.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/server.h"
#include "tests/conformance/streamer.grpc.pb.h"

ABSL_FLAG(std::vector<std::string>, versions, {"1"},
          "application protocol versions");
ABSL_FLAG(std::string, network, "unix", "unix or tcp");
ABSL_FLAG(std::string, tls_roots, "", "PEM file: whom to trust");
ABSL_FLAG(std::string, tls_cert, "", "PEM file: our certificate");
ABSL_FLAG(std::string, tls_key, "", "PEM file: its key");
ABSL_FLAG(bool, outlives_host, false, "lives on without its host");
ABSL_FLAG(std::string, after, "", "a file to make once Serve has returned");

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Answers with what was put and the version it is served for.
class KvService final : public proto::KV::Service {
 public:
  explicit KvService(std::uint32_t version) : version_(version) {}

  grpc::Status Put(grpc::ServerContext*, const proto::PutRequest* request,
                   proto::Empty*) override {
    std::printf("storing %s\n", request->key().c_str());
    goplugin::internal::MutexLock lock(mutex_);
    values_[request->key()] = request->value();
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    goplugin::internal::MutexLock lock(mutex_);
    response->set_value(
        absl::StrCat(values_[request->key()], " from version ", version_));
    return grpc::Status::OK;
  }

 private:
  const std::uint32_t version_;
  absl::Mutex mutex_;
  std::map<std::string, std::string> values_ ABSL_GUARDED_BY(mutex_);
};

// Keeps what is written and gives it back in chunks of the wanted size.
class StreamerService final : public proto::StreamerService::Service {
 public:
  grpc::Status Configure(grpc::ServerContext*,
                         const proto::StreamerConfigureRequest* request,
                         proto::StreamerConfigureResponse*) override {
    if (request->chunk_size() <= 0) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "chunk_size");
    }
    goplugin::internal::MutexLock lock(mutex_);
    chunk_size_ = static_cast<std::size_t>(request->chunk_size());
    return grpc::Status::OK;
  }

  grpc::Status Read(
      grpc::ServerContext*, const proto::StreamerReadRequest*,
      grpc::ServerWriter<proto::StreamerReadChunk>* writer) override {
    goplugin::internal::MutexLock lock(mutex_);
    for (std::size_t at = 0; at < written_.size(); at += chunk_size_) {
      proto::StreamerReadChunk chunk;
      chunk.set_read_bytes(written_.substr(at, chunk_size_));
      if (!writer->Write(chunk)) return grpc::Status::CANCELLED;
    }
    return grpc::Status::OK;
  }

  grpc::Status Write(grpc::ServerContext*,
                     grpc::ServerReader<proto::StreamerWriteChunk>* reader,
                     proto::StreamerWriteResponse*) override {
    std::string written;
    proto::StreamerWriteChunk chunk;
    while (reader->Read(&chunk)) written += chunk.bytes_to_write();
    goplugin::internal::MutexLock lock(mutex_);
    written_ = written;
    return grpc::Status::OK;
  }

 private:
  absl::Mutex mutex_;
  std::size_t chunk_size_ ABSL_GUARDED_BY(mutex_) = 1024;
  std::string written_ ABSL_GUARDED_BY(mutex_);
};

// Null without --tls_roots.
std::shared_ptr<grpc::ServerCredentials> Credentials() {
  if (absl::GetFlag(FLAGS_tls_roots).empty()) return nullptr;
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = ReadFile(absl::GetFlag(FLAGS_tls_roots));
  options.pem_key_cert_pairs.push_back(
      {ReadFile(absl::GetFlag(FLAGS_tls_key)),
       ReadFile(absl::GetFlag(FLAGS_tls_cert))});
  return grpc::SslServerCredentials(options);
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  StreamerService streamer;
  std::vector<std::unique_ptr<KvService>> stores;
  goplugin::ServeOptions options;
  options.magic_cookie_key = "BASIC_PLUGIN";
  options.magic_cookie_value = "hello";
  for (const std::string& text : absl::GetFlag(FLAGS_versions)) {
    std::uint32_t version = 0;
    if (!absl::SimpleAtoi(text, &version)) return 64;
    stores.push_back(std::make_unique<KvService>(version));
    options.services[version] = {stores.back().get(), &streamer};
  }
  if (absl::GetFlag(FLAGS_network) == "tcp") {
    options.networks = {goplugin::Endpoint::Network::kTcp};
  }
  options.credentials = Credentials();
  options.outlives_host = absl::GetFlag(FLAGS_outlives_host);
  const int exit_code = goplugin::Serve(options);
  if (!absl::GetFlag(FLAGS_after).empty()) {
    std::ofstream(absl::GetFlag(FLAGS_after)) << "done";
  }
  return exit_code;
}
