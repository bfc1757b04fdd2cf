#ifndef TESTS_BENCHMARKS_PASSING_H_
#define TESTS_BENCHMARKS_PASSING_H_

#include <grpcpp/channel.h>
#include <grpcpp/impl/channel_interface.h>

#include <memory>

namespace goplugin::benchmarks {

// A channel that passes every call to `channel`; `relayed`: as it does those
// that had to wait, or that may be made again.
std::shared_ptr<grpc::ChannelInterface> PassingChannelTo(
    std::shared_ptr<grpc::Channel> channel, bool relayed);

}  // namespace goplugin::benchmarks

#endif  // TESTS_BENCHMARKS_PASSING_H_
