// Each event, and in it each method that an event may call.

#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/session_test_base.h"

namespace goplugin::internal {
namespace {

using StreamId = YamuxSession::StreamId;

struct Event {
  std::string name;
  // For a server that has accepted stream 1, has no window on it, and has ended
  // 5.
  std::string bytes;
  StreamId stream;
  // What is left of the stream after the event, if it does nothing.
  bool alive;
};

struct Action {
  std::string name;
  std::function<void(YamuxSession&, StreamId)> run;
};

std::vector<Event> AllEvents() {
  return {
      {"opened", DataBytes(3, "abc", kSyn | kFin), 3, true},
      {"data", DataBytes(1, "abc", kFin), 1, true},
      {"window", UpdateBytes(1, 0, 10), 1, true},
      {"finished", UpdateBytes(1, kFin, 10), 1, true},
      {"finished", DataBytes(5, "abc", kFin), 5, false},
      {"reset", DataBytes(1, "abc", kRst), 1, false},
      {"reset", UpdateBytes(5, kRst), 5, false},
  };
}

std::vector<Action> AllActions() {
  return {
      {"Nothing", [](YamuxSession&, StreamId) {}},
      {"Accept", [](YamuxSession& s, StreamId id) { s.Accept(id); }},
      {"Reset", [](YamuxSession& s, StreamId id) { s.Reset(id); }},
      {"CloseWrite", [](YamuxSession& s, StreamId id) { s.CloseWrite(id); }},
      {"Consumed",
       [](YamuxSession& s, StreamId id) { s.Consumed(id, kWindow); }},
      {"Send", [](YamuxSession& s, StreamId id) { s.Send(id, "abc"); }},
      {"Open", [](YamuxSession& s, StreamId) { (void)s.Open(); }},
      {"GoAway",
       [](YamuxSession& s, StreamId) { s.GoAway(GoAwayCode::kNormal); }},
      {"ResetAll",
       [](YamuxSession& s, StreamId) {
         for (StreamId id = 1; id < 8; ++id) s.Reset(id);
       }},
      {"OpenMany",
       [](YamuxSession& s, StreamId) {
         for (int i = 0; i < 100; ++i) (void)s.Open();
       }},
  };
}

class YamuxCallbackTest
    : public ::testing::TestWithParam<std::tuple<Event, Action>> {};

TEST_P(YamuxCallbackTest, LeavesTheRestInOrder) {
  const Event& event = std::get<0>(GetParam());
  const Action& action = std::get<1>(GetParam());
  Side server(YamuxRole::kServer);
  for (const StreamId id : {1, 5, 7}) server.Accepted(id);
  server.session.Send(1, std::string(kWindow, 'x'));
  server.session.CloseWrite(5);
  int called = 0;
  server.events.set_hook([&](absl::string_view what, StreamId stream) {
    if (what != event.name || stream != event.stream || called++ > 0) return;
    action.run(server.session, stream);
  });
  server.Receive(event.bytes);
  EXPECT_EQ(called, 1);

  // Nothing of a stream that is gone, and the next frames are understood.
  const bool gone = !event.alive || action.name == "Reset" ||
                    action.name == "ResetAll" ||
                    (action.name == "CloseWrite" && event.name == "finished");
  std::vector<std::string> events = server.Take();
  if (gone) {
    EXPECT_EQ(events.back(), absl::StrCat(event.name, " ", event.stream) +
                                 (event.name == "data" ? " abc" : ""));
  }
  server.Receive(DataBytes(7, "on") + SynBytes(11));
  events = server.Take();
  if (action.name != "ResetAll") {
    EXPECT_EQ(events.at(0), "data 7 on");
  }
  if (action.name != "GoAway") {
    EXPECT_EQ(events.back(), "opened 11");
  }
  for (const std::string& frame : server.Frames()) {
    EXPECT_THAT(frame, ::testing::Not(HasSubstr("cut")));
    EXPECT_THAT(frame, ::testing::Not(HasSubstr("unknown")));
  }
  if (gone) {
    EXPECT_EQ(server.session.SendWindow(event.stream), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, YamuxCallbackTest,
                         ::testing::Combine(::testing::ValuesIn(AllEvents()),
                                            ::testing::ValuesIn(AllActions())),
                         [](const auto& info) {
                           return absl::StrCat(
                               std::get<0>(info.param).name,
                               std::get<0>(info.param).stream, "_",
                               info.index / AllActions().size(), "_",
                               std::get<1>(info.param).name);
                         });

// The rest of a payload, whose first part made the owner reset its stream.
TEST(YamuxCallbacksTest, ResetInTheMiddleOfAPayload) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.events.set_hook([&](absl::string_view what, StreamId stream) {
    if (what == "data") server.session.Reset(stream);
  });
  const std::string bytes = DataBytes(1, "abcdef", kFin) + SynBytes(3);
  server.Receive(bytes.substr(0, kFrameHeaderSize + 2));
  server.Receive(bytes.substr(kFrameHeaderSize + 2));
  EXPECT_THAT(server.Take(), ElementsAre("data 1 ab", "opened 3"));
  EXPECT_THAT(server.Frames(), ElementsAre("update RST 1 +0"));
}

TEST(YamuxCallbacksTest, AnEndInTheMiddleOfTheLastPayload) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.events.set_hook([&](absl::string_view what, StreamId stream) {
    if (what == "data") server.session.CloseWrite(stream);
  });
  const std::string bytes = DataBytes(1, "abcdef", kFin);
  server.Receive(bytes.substr(0, kFrameHeaderSize + 2));
  server.Receive(bytes.substr(kFrameHeaderSize + 2));
  EXPECT_THAT(server.Take(), ElementsAre("data 1 abcdef", "finished 1"));
  EXPECT_EQ(server.session.stream_count(), 0u);
}

TEST(YamuxCallbacksTest, EchoInTheEvent) {
  Side server(YamuxRole::kServer);
  server.events.set_hook([&](absl::string_view what, StreamId stream) {
    if (what == "opened") server.session.Accept(stream);
    if (what == "data") server.session.Send(stream, "echo");
    if (what == "finished") server.session.CloseWrite(stream);
  });
  server.Receive(DataBytes(1, "abc", kSyn | kFin));
  EXPECT_THAT(server.Frames(),
              ElementsAre("update ACK 1 +0", "data 1 echo", "update FIN 1 +0"));
  EXPECT_EQ(server.session.stream_count(), 0u);
}

// The reset of one half-closed stream makes the owner reset the next.
TEST(YamuxCallbacksTest, ResetInAdvance) {
  Side server(YamuxRole::kServer);
  for (const StreamId id : {1, 3, 5}) {
    server.Accepted(id);
    server.session.CloseWrite(id);
  }
  server.Frames();
  server.events.set_hook([&](absl::string_view, StreamId stream) {
    if (stream == 1) server.session.Reset(3);
  });
  for (std::uint32_t value = 1;; ++value) {
    const absl::Duration next = server.session.NextDeadline();
    server.Advance(next);
    if (next >= YamuxSession::kHalfClosedTimeout) break;
    server.Receive(FrameBytes(FrameType::kPing, kAck, 0, value));
    server.Frames();
  }
  EXPECT_THAT(server.Take(), ElementsAre("reset 1", "reset 5"));
  EXPECT_EQ(server.session.stream_count(), 0u);
}

}  // namespace
}  // namespace goplugin::internal
