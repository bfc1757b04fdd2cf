#ifndef GOPLUGIN_INTERNAL_BROKER_CONN_INFO_H_
#define GOPLUGIN_INTERNAL_BROKER_CONN_INFO_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/endpoint.h"
#include "goplugin/wire/broker.pb.h"

// The messages of the broker's stream, and what they mean. Pure.

namespace goplugin::internal {

// "`id` can be dialled at `endpoint`".
wire::ConnInfo AnnouncementOf(std::uint32_t id, const Endpoint& endpoint);

// kTransport when `endpoint` has more than an address may have.
absl::Status CheckAnnounceable(const Endpoint& endpoint);

// Where an announcement leads. kTransport when that can't be dialled: an
// unknown network, an address that is none. The error is of bounded size,
// whatever came.
absl::StatusOr<Endpoint> AnnouncedEndpoint(const wire::ConnInfo& info);

// Whether it belongs to multiplexing: a request for a stream, or its answer.
bool IsKnock(const wire::ConnInfo& info);

// Why a knock was refused; "" when it was not. Cut after 256 bytes, of which it
// may have any number.
std::string KnockError(const wire::ConnInfo& info);

// "The next stream is to be for `id`."
wire::ConnInfo KnockAt(std::uint32_t id);

// The answer: "it will be", or why not. Without one the other side would wait
// for its deadline.
wire::ConnInfo AnswerTo(std::uint32_t id, const std::string& error);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_CONN_INFO_H_
