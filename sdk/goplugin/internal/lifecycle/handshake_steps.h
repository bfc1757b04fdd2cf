#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_HANDSHAKE_STEPS_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_HANDSHAKE_STEPS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/line_reader.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"

namespace goplugin::internal {

// What came of a piece of a plugin's stdout, while its handshake line is looked
// for.
struct ParsedOutput {
  HandshakeReader::State state = HandshakeReader::State::kSearching;
  // Ordinary output.
  std::string noise;
  // When kDone: the line, or why there is none that can be used.
  absl::optional<absl::StatusOr<HandshakeResponse>> result;
  // The socket of a line that can't be used; "" for none.
  std::string unused_socket;
};

// The search for the handshake line: what the loop reads is parsed in steps, in
// order, on the client's lane unless it is short. Lives on the loop's thread.
class HandshakeSteps {
 public:
  // `on_parsed` is called on the loop's thread for each step, until this object
  // goes; not from inside a method. Each step holds what `begin_work` gives.
  HandshakeSteps(EventLoop& loop, std::shared_ptr<Lane> lane,
                 std::function<std::shared_ptr<void>()> begin_work,
                 const ClientOptions& options,
                 absl::AnyInvocable<void(ParsedOutput)> on_parsed);

  void Feed(absl::string_view bytes);
  // Whether more may be fed; if not, `resume` is called when it may. A plugin
  // that floods is braked by the parser: at most 256 KiB wait for it, and the
  // read that has come on top.
  bool HasRoom(absl::AnyInvocable<void()> resume);
  void Finish(HandshakeReader::End end);
  // What was fed and belongs to no step yet: ordinary output once the line is
  // there.
  std::string TakeUnparsed();

 private:
  void Parse(absl::optional<HandshakeReader::End> end);
  void OnStep(ParsedOutput parsed);
  void ResumeIfRoom();

  EventLoop& loop_;
  const std::shared_ptr<Lane> lane_;
  const std::function<std::shared_ptr<void>()> begin_work_;
  // Used by one step at a time.
  const std::shared_ptr<HandshakeReader> reader_;
  // What a step that comes back looks for: gone with this object.
  struct Waiting {
    absl::AnyInvocable<void(ParsedOutput)> on_parsed;
    HandshakeSteps* steps;
  };
  const std::shared_ptr<Waiting> waiting_;
  bool parsing_ = false;
  std::string unparsed_;
  absl::AnyInvocable<void()> resume_;
  absl::optional<HandshakeReader::End> end_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_HANDSHAKE_STEPS_H_
