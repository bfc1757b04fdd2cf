#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/benchmarks/benches.h"
#include "tests/benchmarks/passing.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/session.h"

namespace goplugin::benchmarks {
namespace {

struct Batch {
  std::string channel;
  std::string call;
  std::string key;
  int size = 0;
  int count = 0;
};

bool Read(const std::string& line, Batch* batch) {
  std::istringstream words(line);
  words >> batch->channel >> batch->call >> batch->key >> batch->size >>
      batch->count;
  return !words.fail() && batch->count > 0;
}

void Run(const Batch& batch, const Kv& kv) {
  const std::string value(batch.size, '\0');
  std::vector<absl::Duration> times(batch.count);
  const Usage before = Usage::Now();
  for (absl::Duration& time : times) {
    const absl::Duration begin = Clock();
    if (batch.call == "put") {
      kv.Put(batch.key, value);
    } else {
      kv.Get(batch.key);
    }
    time = Clock() - begin;
  }
  const Usage after = Usage::Now();
  JsonLine("batch", false)
      .Add("channel", batch.channel)
      .Add("call", batch.call)
      .AddSummary(times)
      .Add("cpu_us",
           absl::ToDoubleMicroseconds(after.processor - before.processor) /
               batch.count)
      .Add("waits",
           static_cast<double>(after.waits - before.waits) / batch.count)
      .Print();
}

}  // namespace

void ServeBatches(const Flags& flags) {
  Session session;
  std::string socket = flags.socket;
  if (socket.empty()) {
    session = Launch(flags);
    socket = session.client->endpoint().address;
  }
  std::map<std::string, std::unique_ptr<Kv>> channels;
  const auto add = [&](const std::string& name, const auto& channel) {
    channels[name] = std::make_unique<Kv>(proto::KV::NewStub(channel));
  };
  add("raw", RawChannel(socket, flags));
  if (session.client != nullptr) {
    const std::shared_ptr<grpc::Channel> own = session.client->channel();
    add("sdk", own);
    add("passed", PassingChannelTo(own, false));
    add("relayed", PassingChannelTo(own, true));
  }
  JsonLine("batches", flags.auto_mtls).Add("socket", socket).Print();
  for (std::string line; std::getline(std::cin, line);) {
    Batch batch;
    if (!Read(line, &batch) || channels.count(batch.channel) == 0) {
      Must(absl::InvalidArgumentError("no such batch: " + line));
    }
    Run(batch, *channels[batch.channel]);
  }
}

}  // namespace goplugin::benchmarks
