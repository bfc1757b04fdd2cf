// Streaming calls, by go-plugin's examples/streaming: its plugin under this
// SDK's host, its host with this SDK's plugin.

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/conformance/streamer.grpc.pb.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

constexpr size_t kSize = size_t{1} << 20;
constexpr size_t kChunk = 1000;

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
}

void Configure(proto::StreamerService::Stub& streamer,
               const std::string& path) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::StreamerConfigureRequest request;
  request.set_path(path);
  request.set_chunk_size(kChunk);
  proto::StreamerConfigureResponse response;
  const grpc::Status status = streamer.Configure(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

void Write(proto::StreamerService::Stub& streamer, const std::string& bytes) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::StreamerWriteResponse response;
  auto writer = streamer.Write(&context, &response);
  for (size_t at = 0; at < bytes.size(); at += kChunk) {
    proto::StreamerWriteChunk chunk;
    chunk.set_bytes_to_write(bytes.substr(at, kChunk));
    EXPECT_TRUE(writer->Write(chunk));
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

std::string Read(proto::StreamerService::Stub& streamer) {
  grpc::ClientContext context;
  SetDeadline(context);
  auto reader = streamer.Read(&context, proto::StreamerReadRequest());
  std::string bytes;
  proto::StreamerReadChunk chunk;
  while (reader->Read(&chunk)) bytes += chunk.read_bytes();
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return bytes;
}

// Writes and reads a MiB.
void Walk(const Command& plugin, const std::string& path, TlsMode tls,
          Multiplex multiplex) {
  ClientOptions options = KvOptionsWith(tls);
  options.multiplex = multiplex;
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(plugin, std::move(options));
  ASSERT_TRUE(client.ok()) << client.status();
  auto streamer = (*client)->NewStub<proto::StreamerService>();
  Configure(*streamer, path);
  std::string bytes;
  while (bytes.size() < kSize) absl::StrAppend(&bytes, bytes.size(), " ");
  Write(*streamer, bytes);
  // No EXPECT_EQ: nobody wants to read both.
  EXPECT_TRUE(Read(*streamer) == bytes);
  const absl::Status bye = (*client)->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
}

class StreamingTest : public PeersTest {
 protected:
  StreamingTest()
      : PeersTest({"hashicorp-streaming-host", "hashicorp-streaming-plugin"}) {}
};

TEST_F(StreamingTest, OurHostWithGosPlugin) {
  for (TlsMode tls : {TlsMode::kInsecure, TlsMode::kAutoMtls}) {
    Walk(Peer("hashicorp-streaming-plugin", {}), data() + "/streamed", tls,
         Multiplex::kNever);
  }
}

TEST_F(StreamingTest, OurHostWithGosPluginMultiplexed) {
  for (TlsMode tls : {TlsMode::kInsecure, TlsMode::kAutoMtls}) {
    Walk(Peer("hashicorp-streaming-plugin", {}), data() + "/streamed", tls,
         Multiplex::kRequire);
  }
}
// It starts ./plugin/streamer, writes 26 bytes in chunks of 10 and reads them
// back; any error ends it with code 1.
TEST_F(StreamingTest, GosHostWithOurPlugin) {
  std::filesystem::create_directory(data() + "/plugin");
  std::filesystem::create_symlink(RunfilePath("tests/conformance/serve_plugin"),
                                  data() + "/plugin/streamer");
  const HostResult result =
      RunHost({{"/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1",
                PeerPath("hashicorp-streaming-host"), "unused"},
               data(),
               {},
               ScratchPath("output")});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("Lorem ipsum dolor sit amet"), std::string::npos)
      << result.output;
}

}  // namespace
}  // namespace goplugin::testing
