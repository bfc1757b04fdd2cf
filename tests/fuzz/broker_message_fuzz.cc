// What the other side sends on the broker's stream.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/broker/conn_info.h"
#include "goplugin/internal/broker/pending_table.h"
#include "goplugin/wire/broker.pb.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kKeep = absl::Seconds(5);
constexpr size_t kMaxError = size_t{8} << 10;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckEndpoint(const absl::StatusOr<Endpoint>& endpoint) {
  if (endpoint.ok()) {
    Require(!endpoint->address.empty() && endpoint->address.size() <= 512);
    return;
  }
  const absl::optional<ErrorDetails> details =
      GetErrorDetails(endpoint.status());
  Require(details.has_value() && details->reason == Reason::kTransport);
  Require(!details->hint.empty());
  Require(endpoint.status().ToString().size() <= kMaxError);
}

// The table beside a model of it without bounds: what it gives is what came
// last, and not too old.
class Checker {
 public:
  void Message(absl::string_view bytes) {
    wire::ConnInfo info;
    if (!info.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return;
    }
    if (IsKnock(info)) {
      const auto answer = AnswerTo(info.service_id(), "no");
      Require(IsKnock(answer) && answer.service_id() == info.service_id());
      return;
    }
    absl::StatusOr<Endpoint> endpoint = AnnouncedEndpoint(info);
    CheckEndpoint(endpoint);
    if (endpoint.ok()) {
      Require(*AnnouncedEndpoint(AnnouncementOf(1, *endpoint)) == *endpoint);
    }
    table_.Add(info.service_id(), endpoint, now_);
    model_[info.service_id()] = {endpoint, now_ + kKeep};
    Require(table_.size() <= PendingTable::kMaxKept);
  }

  void Dial(std::uint32_t id) {
    const auto taken = table_.Take(id, now_);
    if (!taken.has_value()) return;
    const auto expected = model_.find(id);
    Require(expected != model_.end());
    Require(taken->ok() == expected->second.first.ok());
    if (taken->ok()) Require(**taken == *expected->second.first);
    Require(now_ < expected->second.second);
    Require(!table_.Take(id, now_).has_value());
    model_.erase(expected);
  }

  void Pass() { now_ += absl::Seconds(1); }

 private:
  absl::Duration now_ = absl::ZeroDuration();
  PendingTable table_{kKeep};
  std::map<std::uint32_t, std::pair<absl::StatusOr<Endpoint>, absl::Duration>>
      model_;
};

}  // namespace
}  // namespace goplugin::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  goplugin::internal::Checker checker;
  absl::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const auto head = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    if (head >= 0xf0) {
      checker.Pass();
    } else if (head >= 0xc0) {
      checker.Dial(head - 0xc0);
    } else {
      checker.Message(rest.substr(0, head));
      rest.remove_prefix(std::min<size_t>(head, rest.size()));
    }
  }
  return 0;
}
