#include "examples/host/plugin_output.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "examples/host/console.h"
#include "goplugin/log_sink.h"

namespace host {
namespace {

// Longer lines are shown in pieces: a plugin could print without end.
constexpr std::size_t kLongestLine = 4096;

Console::Tone ToneOf(goplugin::LogLevel level) {
  switch (level) {
    case goplugin::LogLevel::kTrace:
    case goplugin::LogLevel::kDebug:
      return Console::Tone::kFaint;
    case goplugin::LogLevel::kInfo:
      return Console::Tone::kGood;
    case goplugin::LogLevel::kWarn:
      return Console::Tone::kWarning;
    case goplugin::LogLevel::kError:
      return Console::Tone::kBad;
  }
  return Console::Tone::kPlain;
}

}  // namespace

std::shared_ptr<goplugin::LogSink> MakeLogPrinter(
    std::shared_ptr<Console> console) {
  return goplugin::MakeLogSink(
      [console = std::move(console)](const goplugin::LogEntry& entry) {
        const bool own = entry.source == goplugin::LogEntry::Source::kSdk;
        console->Say(own ? "sdk" : "log", goplugin::ToString(entry),
                     ToneOf(entry.level));
      });
}

StdioPrinter::StdioPrinter(std::shared_ptr<Console> console)
    : console_(std::move(console)) {}

StdioPrinter::~StdioPrinter() {
  for (Stream* stream : {&stdout_, &stderr_, &raw_}) {
    if (!stream->line.empty()) Finish(*stream);
  }
}

void StdioPrinter::Write(const goplugin::StdioChunk& chunk) {
  Stream& stream = StreamOf(chunk);
  for (const char c : chunk.data) {
    if (c != '\n') stream.line.push_back(c);
    if (c == '\n' || stream.line.size() == kLongestLine) Finish(stream);
  }
}

StdioPrinter::Stream& StdioPrinter::StreamOf(
    const goplugin::StdioChunk& chunk) {
  if (chunk.raw) return raw_;
  return chunk.stream == goplugin::StdioChunk::Stream::kStdout ? stdout_
                                                               : stderr_;
}

void StdioPrinter::Finish(Stream& stream) {
  console_->Say(stream.name, stream.line);
  stream.line.clear();
}

}  // namespace host
