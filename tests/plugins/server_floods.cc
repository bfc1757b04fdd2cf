#include "tests/plugins/server_floods.h"

#include <grpcpp/support/slice.h>

#include <utility>

namespace server_plugin {
namespace {

using grpc::ByteBuffer;
using grpc::Status;
using Reactor = grpc::ServerGenericBidiReactor;

class LargeMessage final : public Reactor {
 public:
  LargeMessage(const std::string& bytes, bool ends)
      : ends_(ends), message_(ToBuffer(bytes)) {
    if (ends) {
      StartWriteAndFinish(&message_, grpc::WriteOptions(), Status::OK);
    } else {
      StartWrite(&message_);
    }
  }
  void OnCancel() override {
    if (!ends_) Finish(Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  const bool ends_;
  ByteBuffer message_;
};

std::string Field(char tag, const std::string& bytes) {
  return tag + Varint(bytes.size()) + bytes;
}

// ConnInfo{service_id, knock{knock, ack, error}}.
std::string KnockInfo(std::uint32_t id, bool ack, const std::string& error) {
  std::string knock("\x08\x01", 2);
  if (ack) knock += std::string("\x10\x01", 2);
  if (!error.empty()) knock += Field('\x1a', error);
  return '\x08' + Varint(id) + Field('\x22', knock);
}

std::string FloodMessage(const std::string& kind, std::uint32_t id) {
  if (kind == "knocks") return KnockInfo(id, false, "");
  if (kind == "acks") return KnockInfo(id, true, "");
  if (kind == "refusals") return KnockInfo(id, true, std::string(2000, 'e'));
  return '\x08' + Varint(id) + Field('\x12', "unix") + Field('\x1a', "/none");
}

class Flood final : public Reactor {
 public:
  explicit Flood(std::string kind) : kind_(std::move(kind)) { WriteNext(); }
  void OnWriteDone(bool ok) override {
    if (ok) WriteNext();
  }
  void OnCancel() override { Finish(Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void WriteNext() {
    message_ = ToBuffer(FloodMessage(kind_, ++id_));
    StartWrite(&message_);
  }

  const std::string kind_;
  std::uint32_t id_ = 0;
  ByteBuffer message_;
};

}  // namespace

ByteBuffer ToBuffer(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return ByteBuffer(&slice, 1);
}

std::string Varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) {
    bytes += static_cast<char>(number | 0x80);
  }
  return bytes + static_cast<char>(number);
}

std::string Ballast(std::size_t size) {
  // Field 15, bytes.
  return '\x7a' + Varint(size) + std::string(size, '\0');
}

Reactor* SendLarge(grpc::GenericCallbackServerContext* context,
                   const std::string& head, std::size_t size, bool compressed,
                   bool ends) {
  if (compressed) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  return new LargeMessage(head + Ballast(size), ends);
}

Reactor* FloodBroker(const std::string& kind) { return new Flood(kind); }

}  // namespace server_plugin
