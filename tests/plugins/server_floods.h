#ifndef TESTS_PLUGINS_SERVER_FLOODS_H_
#define TESTS_PLUGINS_SERVER_FLOODS_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <string>

// What is too much for a host: messages without end, and messages without
// measure.

namespace server_plugin {

grpc::ByteBuffer ToBuffer(const std::string& bytes);

// Protobuf's variable-length number.
std::string Varint(std::uint64_t number);

// `size` zeros as a field that no message knows.
std::string Ballast(std::size_t size);

// Answers with one message of `size` bytes after `head`, compressed if asked
// for, and ends the call if `ends`.
grpc::ServerGenericBidiReactor* SendLarge(
    grpc::GenericCallbackServerContext* context, const std::string& head,
    std::size_t size, bool compressed, bool ends);

// Broker messages without end: "knocks", "refusals" (of knocks that nobody
// sent), "acks" (the same), "announcements". Reads nothing.
grpc::ServerGenericBidiReactor* FloodBroker(const std::string& kind);

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_FLOODS_H_
