#ifndef TESTS_UNIT_MUX_RECORDER_H_
#define TESTS_UNIT_MUX_RECORDER_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/frames.h"

namespace goplugin::internal {

// Keeps the events of a session as texts: "opened 2", "data 2 hello",
// "window 2", "finished 2", "reset 2". Consecutive data of a stream is one,
// however it was cut.
class Recorder final : public YamuxSession::Events {
 public:
  using StreamId = YamuxSession::StreamId;
  // Called after each event with its first word.
  using Hook = std::function<void(absl::string_view what, StreamId stream)>;

  void set_hook(Hook hook) { hook_ = std::move(hook); }

  // What came since the last call.
  std::vector<std::string> Take() {
    data_of_ = 0;
    return std::exchange(events_, {});
  }

  void OnOpened(StreamId stream) override { Add("opened", stream); }
  void OnData(StreamId stream, absl::string_view bytes) override {
    const std::string text(bytes);
    if (data_of_ == stream) {
      events_.back() += text;
    } else {
      events_.push_back(absl::StrCat("data ", stream, " ", text));
    }
    data_of_ = stream;
    Call("data", stream);
  }
  void OnWindow(StreamId stream) override { Add("window", stream); }
  void OnFinished(StreamId stream) override { Add("finished", stream); }
  void OnReset(StreamId stream) override { Add("reset", stream); }

 private:
  void Add(absl::string_view what, StreamId stream) {
    events_.push_back(absl::StrCat(what, " ", stream));
    data_of_ = 0;
    Call(what, stream);
  }
  void Call(absl::string_view what, StreamId stream) {
    if (hook_) hook_(what, stream);
  }

  std::vector<std::string> events_;
  Hook hook_;
  // Whose data the last event is; 0: it is none.
  StreamId data_of_ = 0;
};

// The frames that wait to be written, as DescribeFrames has them, which are
// then written.
inline std::vector<std::string> TakeFrames(YamuxSession& session) {
  std::vector<std::string> frames = DescribeFrames(session.output());
  session.RemoveOutput(session.output().size());
  return frames;
}

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_MUX_RECORDER_H_
